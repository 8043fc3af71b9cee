//! `connector replay`: recorded syncs, run again on this file, offline. What it would send differently is shown call by call.

use std::process::ExitCode;

use anyhow::{Result, bail};
use crm_contract::ports::ShownRequest;
use crm_sync::replay::{Compared, Recorded, Replayed, Verdict};
use serde_json::json;

use super::args::ReplayArgs;
use super::journal::{self, Stage};
use super::{File, note, runtime, say};

/// Characters that are shown of a value.
const SHOWN: usize = 300;

pub(super) fn run(args: &ReplayArgs) -> Result<ExitCode> {
    let file = File::read(&args.file)?;
    runtime()?.block_on(replay(args, file))
}

async fn replay(args: &ReplayArgs, file: File) -> Result<ExitCode> {
    let slug = file.manifest.connector.slug.clone();
    let (mut runs, all) = journal::read(&args.from, &format!("/v1/admin/connectors/{slug}/journal?most={}", args.most)).await?;
    let read = runs.len();
    runs.retain(|run| run.connector == slug);
    if runs.is_empty() {
        bail!("{all} holds no run of the connector {slug}, among {read} in all");
    }
    if runs.len() < read {
        note(&format!("{} runs of other connectors are passed over", read - runs.len()));
    }
    let stage = Stage::of(file, args.allow_wasi).await?;
    let mut same = 0;
    for run in &runs {
        let replayed = stage.replay(run).await?;
        same += usize::from(replayed.is_same());
        if args.json {
            say(&json!({
                "organization": run.organization,
                "sync": run.sync,
                "attempt": run.attempt,
                "recorded_version": run.version,
                "same": replayed.is_same(),
                "replayed": replayed,
            })
            .to_string());
        } else {
            lines(run, &replayed).iter().for_each(|line| say(line));
        }
    }
    let (replayed, different) = (runs.len(), runs.len() - same);
    if args.json {
        say(&json!({ "replayed": replayed, "same": same, "different": different }).to_string());
    } else {
        say(&format!("{replayed} replayed, {same} the same, {different} different"));
    }
    Ok(if different == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a person reads of one sync.
fn lines(run: &Recorded, replayed: &Replayed) -> Vec<String> {
    let word = if replayed.is_same() { "same" } else { "DIFFERENT" };
    let mut lines = vec![format!(
        "{word} {} of {} (attempt {}, recorded on {} {}), {} calls",
        plain(&run.sync),
        plain(&run.organization),
        run.attempt,
        plain(&run.connector),
        plain(&run.version),
        replayed.calls.len()
    )];
    for one in replayed.calls.iter().filter(|one| !one.is_same()) {
        lines.extend(call(one));
    }
    if let Some(fault) = &replayed.fault {
        lines.push(format!("  the connector is stopped: {}", plain(&fault.to_string())));
    }
    if replayed.ended != replayed.ends {
        lines.push(format!("  ends `{}` instead of `{}`", replayed.ends, replayed.ended));
    }
    lines
}

fn call(one: &Compared) -> Vec<String> {
    let name = plain(&one.call);
    let mut lines = match &one.verdict {
        Verdict::Same => Vec::new(),
        Verdict::Changed { parts } => {
            let part = |part: &crm_sync::replay::Part| {
                let side = |sign: &str, value: &Option<String>| value.as_ref().map(|value| format!("    {sign} {}", plain(value)));
                let head = format!("  {name}: {}", plain(&part.at.to_string()));
                [Some(head), side("-", &part.before), side("+", &part.after)].into_iter().flatten().collect::<Vec<_>>()
            };
            parts.iter().flat_map(part).collect()
        }
        Verdict::New { request } => {
            let unanswered = "new call; the record has no answer for it, so what follows may be another way than a real run's";
            vec![format!("  {name}: {unanswered}"), format!("    + {}", line(request))]
        }
        Verdict::Missing { request } => {
            let mut lines = vec![format!("  {name}: no longer made")];
            lines.extend(request.as_ref().map(|request| format!("    - {}", line(request))));
            lines
        }
        Verdict::Refused { why } => vec![format!("  {name}: egress refuses it: {}", plain(why))],
    };
    if one.moved {
        lines.push(format!("  {name}: at another place in the order"));
    }
    lines
}

fn line(request: &ShownRequest) -> String {
    let body = request.body.as_deref().unwrap_or_default();
    plain(&format!("{} {} {body}", request.method, request.url)).trim_end().to_owned()
}

/// Cut, and without anything that could drive a terminal: these are vendors' and other people's texts.
fn plain(text: &str) -> String {
    let cut = text.chars().count() > SHOWN;
    let mut out = String::new();
    for c in text.chars().take(SHOWN) {
        if c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    if cut {
        out.push('…');
    }
    out
}
