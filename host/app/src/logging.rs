//! Logs go to standard error, one JSON object a line. `CRM_HOST_LOG` sets the filter.

use tracing_subscriber::EnvFilter;

pub(crate) fn start(default: &str) {
    let filter = EnvFilter::try_from_env("CRM_HOST_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_writer(std::io::stderr).init();
}
