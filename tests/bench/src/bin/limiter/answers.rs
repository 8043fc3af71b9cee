//! What a vendor answers, by its fixtures: the exchanges of `sync-new`, played again and again for people with other addresses.

use std::collections::HashMap;

use crm_conformance::{Exchange, Fixture};
use crm_contract::types::{Invocation, Job};
use parking_lot::Mutex;
use serde_json::Value;

/// The contact of every fixture.
const ANN: &str = "ann@example.com";

/// An address that the bench made: `affiliate12@example.com`.
pub(crate) fn address(n: u64) -> String {
    format!("affiliate{n}@example.com")
}

/// A request as it came in.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) body: &'a str,
}

pub(crate) struct Answers {
    exchanges: Vec<Exchange>,
    /// How often the same was asked about the same person.
    asked: Mutex<HashMap<String, usize>>,
    /// What the host must know of the connection and the job for the fixture to run.
    pub(crate) job: Job,
}

/// One answer.
pub(crate) struct Given {
    pub(crate) call: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answers {
    /// Those of one fixture, its further runs included: what the vendor finishes later is asked for later here too.
    pub(crate) fn of(fixture: &Fixture, mode: &str) -> anyhow::Result<Self> {
        let later = fixture.then.iter().flat_map(|step| &step.exchanges);
        let exchanges = fixture.exchanges.iter().chain(later).filter(|exchange| exchange.response.is_some()).cloned().collect();
        match crm_conformance::invocation(&fixture.function, &fixture.input, mode)? {
            Invocation::SyncContact { job } => Ok(Self { exchanges, asked: Mutex::default(), job }),
            _ => anyhow::bail!("{} is no sync", fixture.file),
        }
    }

    /// The answer of the exchange that is most like what was asked.
    pub(crate) fn to(&self, asked: &Asked<'_>) -> Option<Given> {
        let decoded = |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let (path, query, body) = (decoded(asked.path), decoded(asked.query), decoded(asked.body));
        let who = [&path, &query, &body].into_iter().find_map(|text| found_in(text));
        let as_ann = |text: &str| who.as_ref().map_or_else(|| text.to_owned(), |who| text.replace(who.as_str(), ANN));
        let (path, query) = (as_ann(&path), as_ann(&query));
        let alike = |exchange: &&Exchange| {
            let request = &exchange.request;
            let theirs = decoded(&request.path);
            let same = theirs.split('/').zip(path.split('/')).filter(|(a, b)| a == b).count();
            let pairs = request.query.iter().filter(|(name, value)| query.contains(&format!("{name}={value}"))).count();
            let keys = request.body.as_ref().map_or(0, |wanted| shared(wanted, &body));
            (same, pairs, keys)
        };
        let fits = |exchange: &&Exchange| {
            exchange.request.method == asked.method && decoded(&exchange.request.path).split('/').count() == path.split('/').count()
        };
        let best = self.exchanges.iter().filter(fits).map(|exchange| alike(&exchange)).max()?;
        // What is asked again is answered by the next exchange of that kind, the last one for ever.
        let of_kind: Vec<&Exchange> = self.exchanges.iter().filter(fits).filter(|exchange| alike(exchange) == best).collect();
        let mut times = self.asked.lock();
        let time = times.entry(format!("{who:?} {} {path}", asked.method)).or_default();
        let exchange = of_kind.get(*time).or(of_kind.last())?;
        *time += 1;
        let response = exchange.response.as_ref()?;
        let text = String::from_utf8_lossy(&response.bytes()).into_owned();
        let body = who.map_or_else(|| text.clone(), |who| text.replace(ANN, &who));
        // `find@eu`: the same call at another host of its endpoint.
        let call = exchange.request.call.split('@').next().unwrap_or_default().to_owned();
        Some(Given { call, status: response.status, headers: response.headers.clone(), body })
    }
}

/// How many of the wanted body's keys stand in a text.
fn shared(wanted: &Value, text: &str) -> usize {
    match wanted {
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| usize::from(text.contains(&format!("\"{key}\""))) + shared(value, text)).sum()
        }
        Value::Array(items) => items.iter().map(|item| shared(item, text)).sum(),
        Value::String(value) => usize::from(text.contains(value.as_str())),
        _ => 0,
    }
}

/// An address of [`address`] in a text.
fn found_in(text: &str) -> Option<String> {
    text.match_indices("affiliate").find_map(|(at, word)| {
        let digits: String = text[at + word.len()..].chars().take_while(char::is_ascii_digit).collect();
        let whole = format!("{word}{digits}@example.com");
        (!digits.is_empty() && text[at..].starts_with(&whole)).then_some(whole)
    })
}
