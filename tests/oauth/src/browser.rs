//! A merchant's browser at the authorization server: follows its pages and forms until it is sent back to the host.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use url::Url;

use crate::PUBLIC_URL;

/// Blocking: call it off the runtime.
pub struct Browser {
    agent: ureq::Agent,
    cookies: BTreeMap<String, String>,
}

impl Default for Browser {
    fn default() -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build();
        Self { agent: config.new_agent(), cookies: BTreeMap::new() }
    }
}

impl Browser {
    /// Signs in, and says yes or leaves; answers the address it was sent back to.
    pub fn consent(&mut self, start: &Url, yes: bool) -> Result<Url> {
        let mut at = start.clone();
        for _ in 0..20 {
            let (next, page) = self.look(&at, None)?;
            let next = match next {
                Some(next) => next,
                None if page.contains(r#"value="login""#) => self.post(&at, "prompt=login&login=ann&password=anything")?,
                None if !yes => at.join(&format!("{}/abort", at.path()))?,
                None if page.contains(r#"value="consent""#) => self.post(&at, "prompt=consent")?,
                None => bail!("a page without a way on: {page}"),
            };
            if next.as_str().starts_with(PUBLIC_URL) {
                return Ok(next);
            }
            at = next;
        }
        bail!("sent round in a circle, last to {at}")
    }

    fn post(&mut self, at: &Url, form: &str) -> Result<Url> {
        self.look(at, Some(form))?.0.context("a form that leads nowhere")
    }

    /// One page: where it leads, or what it says.
    fn look(&mut self, at: &Url, form: Option<&str>) -> Result<(Option<Url>, String)> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut response = match form {
            Some(form) => self
                .agent
                .post(at.as_str())
                .header("cookie", cookies)
                .header("content-type", "application/x-www-form-urlencoded")
                .send(form)?,
            None => self.agent.get(at.as_str()).header("cookie", cookies).header("accept", "text/html").call()?,
        };
        for set in response.headers().get_all("set-cookie") {
            let pair = set.to_str()?.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let next = response.headers().get("location").map(|to| at.join(to.to_str()?).map_err(anyhow::Error::from)).transpose()?;
        Ok((next, response.body_mut().read_to_string()?))
    }
}
