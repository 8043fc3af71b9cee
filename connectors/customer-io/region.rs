//! In which of the two regions a workspace is, by asking. Stage verify only.

use crm_connector_sdk::prelude::*;

use crate::refusal::refusal;

/// The workspace's region and number. Either host may answer for both regions; only where both refuse are the keys wrong.
pub(crate) fn region() -> Result<(&'static str, Option<String>), Error> {
    let mut trouble = None;
    for asked in ["us", "eu"] {
        let answer = Call::new(format!("region@{asked}")).send().and_then(|reply| reply.ok_or(refusal)?.need_json());
        match answer {
            Ok(answer) => {
                let said = json::first_text(&answer, &["/region", "/data_center"]).map(|region| region.to_ascii_lowercase());
                let region = match said.as_deref() {
                    Some("us") => "us",
                    Some("eu") => "eu",
                    _ if json::text(&answer, "/url").is_some_and(|url| url.contains("-eu.")) => "eu",
                    _ => asked,
                };
                return Ok((region, json::text(&answer, "/environment_id")));
            }
            Err(throttled @ Error::RateLimited(_)) => return Err(throttled),
            // What may pass by itself outweighs a refusal by the other host.
            Err(Error::Credentials(refused)) => trouble = trouble.or(Some(Error::Credentials(refused))),
            Err(other) => trouble = trouble.filter(|first| !matches!(first, Error::Credentials(_))).or(Some(other)),
        }
    }
    Err(trouble.unwrap_or_else(|| error::retryable("region", "no region answered")))
}
