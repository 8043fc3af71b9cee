//! What the operator reads. Much of it was written by whoever wrote the connector: nothing of that reaches the terminal but letters.

use serde_json::Value;

use super::answers::{self, Connector, Problem, Version};
use super::client::Answer;

/// Digits of a digest that tell versions apart for people.
const SHORT: usize = 12;

/// What became of a file.
pub(super) fn installed(version: &Version) -> Vec<String> {
    let mut lines = vec![if version.known { format!("{} (it was here already)", stands(version)) } else { stands(version) }];
    if version.waits() {
        lines.push("What was active stays active until you approve it.".to_owned());
    }
    let mut changes: Vec<_> = version.changes.iter().collect();
    changes.sort_by_key(|change| !change.wider);
    for change in changes {
        let sign = if change.wider { "it may do more" } else { "otherwise" };
        lines.push(format!("  {sign}: {}: {}", plain(&change.about), plain(&change.words)));
    }
    match version.state.as_str() {
        _ if version.waits() => lines.push(format!("To let it in: crm-host connector approve {}", plain(&version.id))),
        "ready" => lines.push(format!("To make it active: crm-host connector activate {}", plain(&version.id))),
        _ => {}
    }
    lines
}

/// A version in one line.
pub(super) fn stands(version: &Version) -> String {
    let what = format!("{} {} ({})", plain(&version.connector), plain(&version.version), short(&version.id));
    match version.state.as_str() {
        "active" => format!("{what} is active: new work runs it"),
        "trial" => format!("{what} is on trial: a part of the connections runs it"),
        "ready" => format!("{what} is ready: it runs where connections are pinned to it, or once it is activated"),
        "waiting_for_approval" => format!("{what} waits for approval"),
        other => format!("{what}: {}", plain(other).replace('_', " ")),
    }
}

/// Versions, one in a line.
pub(super) fn table(connectors: &[Connector]) -> Vec<String> {
    let mut rows = vec![["CONNECTOR", "VERSION", "DIGEST", "STATE", "SINCE", "SIGNER", "SOURCE"].map(str::to_owned)];
    for connector in connectors {
        for version in &connector.versions {
            let active = connector.active.as_deref() == Some(&version.id);
            let since = if active && !connector.since.is_null() { &connector.since } else { &version.since };
            let slug = if version.connector.is_empty() { &connector.connector } else { &version.connector };
            rows.push([
                plain(slug),
                plain(&version.version),
                short(&version.id),
                plain(&version.state).replace('_', " "),
                when(since),
                version.signer.as_deref().map_or_else(|| "not signed".to_owned(), plain),
                source(&version.source),
            ]);
        }
        if connector.versions.is_empty() {
            let gone = ["-", "-", "off this host", "-", "-", "-"].map(str::to_owned);
            let [version, digest, state, since, signer, source] = gone;
            rows.push([plain(&connector.connector), version, digest, state, since, signer, source]);
        }
    }
    if rows.len() == 1 {
        return vec!["There is no connector on this host.".to_owned()];
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..7).map(width).collect();
    let padded = |row: &[String; 7]| row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect::<Vec<_>>().join("  ");
    rows.iter().map(|row| padded(row).trim_end().to_owned()).collect()
}

/// Why the host did not do it.
pub(super) fn refused(answer: &Answer) -> String {
    let problem: Problem = answers::read(&answer.json).unwrap_or_default();
    if problem.title.is_empty() && problem.detail.is_empty() {
        return format!("refused: the answer has status {} and no reason. Is this the address of a crm-host?", answer.status);
    }
    let mut lines = vec![format!("refused: {}: {}", plain(&problem.title), plain(&problem.detail))];
    // Of one field, the detail says it all.
    let more = problem.errors.iter().filter(|field| !problem.detail.contains(&field.detail));
    lines.extend(more.map(|field| format!("  {}: {}", plain(&field.field), plain(&field.detail))));
    if problem.code == "unauthorized" {
        lines.push("  An operator's key begins with rk_op_; `crm-host admin create-operator-key` makes one.".to_owned());
    }
    if answer.status >= 500 && !problem.request_id.is_empty() {
        lines.push(format!("  request {}", plain(&problem.request_id)));
    }
    lines.join("\n")
}

fn short(digest: &str) -> String {
    plain(digest).chars().take(SHORT).collect()
}

/// A point in time: text as it is, or milliseconds since 1970.
fn when(value: &Value) -> String {
    let ms = value.as_i64().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let text = ms.map(|at| at.to_string()).or_else(|| value.as_str().map(plain));
    text.unwrap_or_else(|| "-".to_owned())
}

/// `upload`, `folder acme.wasm`, `registry oci://...`.
fn source(value: &Value) -> String {
    let text = |value: &Value| value.as_str().map(plain);
    let Value::Object(parts) = value else { return text(value).unwrap_or_else(|| "-".to_owned()) };
    let kind = parts.get("kind").and_then(text).unwrap_or_default();
    let rest = parts.iter().filter(|(name, _)| *name != "kind").filter_map(|(_, value)| text(value));
    std::iter::once(kind).chain(rest).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Without anything that moves a cursor, hides what was written or turns it round.
fn plain(text: &str) -> String {
    let hidden =
        |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }).filter(|c| !hidden(*c)).collect()
}
