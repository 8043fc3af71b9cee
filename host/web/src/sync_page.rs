//! One sync: its attempts and the exact requests of each, with secrets as labelled slots.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use crm_contract::ports::{ShownRequest, StepOutcome, StepRecord};
use crm_contract::types::Ending;
use crm_store::model::{Attempt, JobTrouble, KeptStep, Outcome, Step};
use crm_sync::services::connections::vendor_words;
use crm_sync::services::syncs::{self, ShownState};
use maud::{Markup, html};

use crate::console::state_word;
use crate::layout::{page, sorry, time};
use crate::session::SignedIn;

/// Longest body shown; the API has the rest.
const SHOWN: usize = 4_000;

pub(crate) async fn one(SignedIn { who, ctx }: SignedIn, Path(id): Path<String>) -> Response {
    let detail = match syncs::get(&ctx, &who.organization, &id).await {
        Ok(detail) => detail,
        Err(error) => return sorry(&error),
    };
    let job = &detail.job;
    let word = state_word(ShownState::of(job.state));
    let mut numbers: Vec<u32> = detail.attempts.iter().map(|a| a.number).chain(detail.steps.iter().map(|s| s.attempt)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let body = html! {
        p { span class={ "state " (word) } { (word) } " " @if let Some(trouble) = &job.trouble { (trouble_words(trouble)) } }
        p { "Tags: " (job.new.set.join(", ")) }
        @if !job.state.is_final() { p { "Next: " (time(job.due)) } }
        @if let Some(step) = &job.failed_step { p { "Failed at: " code { (step) } } }
        @for number in numbers {
            h2 { "Attempt " (number) }
            @if let Some(attempt) = detail.attempts.iter().find(|a| a.number == number) { (attempt_head(attempt)) } @else { p { "Still running." } }
            @for step in detail.steps.iter().filter(|s| s.attempt == number) { (step_box(step)) }
            @if let Some(attempt) = detail.attempts.iter().find(|a| a.number == number && !a.log.is_empty()) {
                details { summary { "Log" } pre { (attempt.log.join("\n")) } }
            }
        }
    };
    page(&job.new.who.email, body).into_response()
}

fn trouble_words(trouble: &JobTrouble) -> String {
    match trouble {
        JobTrouble::Connector(error) => vendor_words(error),
        JobTrouble::Fault(fault) => fault.to_string(),
        JobTrouble::Interrupted => "the host stopped while it ran".to_owned(),
        JobTrouble::Host(words) => words.clone(),
    }
}

fn attempt_head(attempt: &Attempt) -> Markup {
    let end = match &attempt.outcome {
        Outcome::Ended(Ending::Done(_)) => "done".to_owned(),
        Outcome::Ended(Ending::Later(later)) => format!("accepted; looks again after {} s", later.after_seconds),
        Outcome::Ended(Ending::Failed(error)) => vendor_words(error),
        Outcome::Fault(fault) => fault.to_string(),
        Outcome::Interrupted => "the host stopped while it ran".to_owned(),
        Outcome::Delivery { text, .. } => text.clone(),
    };
    html! { p { (time(attempt.started)) " · " (attempt.connector) " " (attempt.version) " · " (end) } }
}

fn step_box(step: &Step) -> Markup {
    match &step.kept {
        KeptStep::Intent { key, request, .. } => html! {
            div.box { h3 { (key.call) } p { "Announced; its answer is not known." } (request_lines(request)) }
        },
        KeptStep::Done(record) => html! {
            div.box {
                h3 { (record.key.call) @if record.reused { span.dim { " (answered from the journal, not sent again)" } } }
                (request_lines(&record.request))
                (answer_lines(record))
            }
        },
    }
}

fn request_lines(request: &ShownRequest) -> Markup {
    html! {
        pre {
            (request.method) " " (request.url) "\n"
            @for (name, value) in &request.headers { (name) ": " (value) "\n" }
            @if let Some(body) = &request.body { "\n" (cut(body)) }
        }
    }
}

fn answer_lines(record: &StepRecord) -> Markup {
    match &record.outcome {
        StepOutcome::Answered(answer) => html! {
            p { "Answer " strong { (answer.status) } " after " (record.took_ms) " ms" }
            @if !answer.body.is_empty() { details { summary { "Body" } pre { (cut(&String::from_utf8_lossy(&answer.body))) } } }
        },
        StepOutcome::Unanswered(why) => html! { p { "No answer: " (format!("{why:?}")) } },
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(SHOWN).collect();
    short.push_str(" ...");
    short
}
