//! `connector fixture`: a recorded sync of production, failed ones above all, as a scenario of the suite, with invented identities.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use crm_catalog::model::Effect;
use crm_conformance::{Suite, record, shown};
use crm_contract::ports::{CREDENTIALS_REFUSED, ShownRequest, StepKey, StepOutcome, StepRecord};
use crm_contract::types::{Answer, Invocation, Unanswered};
use crm_sync::replay::{Exchange, Recorded};
use serde_json::{Value, json};

use super::args::FixtureArgs;
use super::attempt::{day, write};
use super::journal::{self, Stage};
use super::{File, note, runtime};

pub(super) fn run(args: &FixtureArgs) -> Result<ExitCode> {
    let file = File::read(&args.file)?;
    runtime()?.block_on(found(args, file))
}

async fn found(args: &FixtureArgs, file: File) -> Result<ExitCode> {
    let organization = match (&args.organization, &args.from.journal) {
        (Some(id), _) => id.as_str(),
        (None, Some(_)) => "",
        (None, None) => bail!("--organization says whose sync it is: a host is asked with it"),
    };
    let (runs, all) = journal::read(&args.from, &format!("/v1/admin/organizations/{organization}/syncs/{}/journal", args.sync)).await?;
    let of = |run: &&Recorded| run.sync == args.sync;
    let Some(run) = runs.iter().filter(of).max_by_key(|run| run.attempt) else {
        bail!("{all} holds no run of {}, among {} in all", args.sync, runs.len());
    };
    if run.connector != file.manifest.connector.slug {
        bail!("{} ran on the connector {}; {} is {}", run.sync, run.connector, file.shown, file.manifest.connector.slug);
    }
    made(args, file, run).await
}

async fn made(args: &FixtureArgs, file: File, run: &Recorded) -> Result<ExitCode> {
    let stage = Stage::of(file, args.allow_wasi).await?;
    // The answer is this file's, on the vendor's answers as they were: a fixture says what the connector is to do.
    let replayed = stage.replay(run).await?;
    let Some(report) = replayed.report.clone() else {
        bail!("this file gives no answer on the recorded run ({}): there is nothing to expect of it", replayed.ends);
    };
    if !replayed.is_same() {
        note("this file asks for other things than the recorded run did; `connector replay` shows what");
    }
    if replayed.ended != replayed.ends {
        note(&format!("the recorded run ended `{}`; this file ends it `{}`, and so does the fixture", replayed.ended, replayed.ends));
    }
    let taken = record::Taken {
        function: function(&run.invocation).to_owned(),
        input: input(run)?,
        steps: run.exchanges.iter().filter_map(step).collect(),
        answer: shown(&Answer::Report(report))?,
    };
    let addresses = addresses(&run.invocation);
    let leaking = |text: &str| {
        let text = text.to_lowercase();
        addresses.iter().any(|address| text.contains(address))
    };
    let suite = Suite::on(stage.engine.clone())?;
    let date = day(run.ended);
    let fixture = record::fixture(&suite, &stage.digest, &stage.manifest, taken, args.scenario.as_deref(), &date, &leaking)
        .await
        .context("no fixture is made")?;
    for remark in &fixture.remarks {
        note(&format!("remark: {remark}"));
    }
    let path = write(&args.output, &fixture.scenario, &fixture.text)?;
    note(&format!("made {}: read it before you keep it, custom fields and texts of the vendor above all", path.display()));
    Ok(ExitCode::SUCCESS)
}

fn function(invocation: &Invocation) -> &'static str {
    match invocation {
        Invocation::Verify { .. } => "verify",
        Invocation::ListChoices { .. } => "list-choices",
        Invocation::Prepare { .. } => "prepare",
        Invocation::SyncContact { .. } => "sync-contact",
        Invocation::UntagContact { .. } => "untag-contact",
        Invocation::LookupContact { .. } => "lookup-contact",
    }
}

/// The arguments as a fixture states them: without what is neutral anyway.
fn input(run: &Recorded) -> Result<Value> {
    let mut input = serde_json::to_value(&run.invocation)?;
    if let Value::Object(fields) = &mut input {
        fields.remove("function");
        fields.extend(run.choice.as_ref().map(|choice| ("choice".to_owned(), json!(choice))));
    }
    prune(&mut input);
    Ok(input)
}

/// Lists are left as they are: what stands in one means something, empty or not.
fn prune(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    fields.values_mut().for_each(prune);
    fields.retain(|key, value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Number(number) => key != "approved_at" || number.as_u64() != Some(0),
        Value::Bool(_) => true,
    });
}

/// What egress itself turned away is no exchange with the vendor, and it will turn it away again.
fn step(exchange: &Exchange) -> Option<StepRecord> {
    if let StepOutcome::Unanswered(Unanswered::Refused(words)) = &exchange.outcome
        && exchange.hash.is_none()
        && !words.starts_with(CREDENTIALS_REFUSED)
    {
        return None;
    }
    let nothing = || ShownRequest { method: String::new(), url: String::new(), headers: Vec::new(), body: None };
    Some(StepRecord {
        key: StepKey { call: exchange.call.clone(), hash: exchange.hash.clone().unwrap_or_default(), occurrence: 0 },
        effect: Effect::Read,
        request: exchange.request.clone().unwrap_or_else(nothing),
        outcome: exchange.outcome.clone(),
        good: false,
        reused: exchange.reused,
        at: exchange.at,
        took_ms: 0,
    })
}

/// What must not stand in the fixture in any case. There is no credential here to look for, and none was in the journal.
fn addresses(invocation: &Invocation) -> Vec<String> {
    let (Invocation::SyncContact { job } | Invocation::UntagContact { job }) = invocation else { return Vec::new() };
    let all = [Some(&job.who.email), job.who.previous_email.as_ref()];
    // The stand-ins themselves live there.
    let invented =
        |host: &str| matches!(host, "example" | "example.com" | "example.org" | "example.net" | "localhost") || host.ends_with(".example");
    let real = |address: &String| address.rsplit_once('@').is_some_and(|(_, host)| !invented(host));
    all.into_iter().flatten().map(|address| address.trim().to_lowercase()).filter(real).collect()
}
