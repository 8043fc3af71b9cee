//! What all pages share: the frame, the style sheet, plain messages. No script anywhere.

use std::collections::BTreeSet;

use axum::response::{Html, IntoResponse, Response};
use crm_sync::services::ServiceError;
use http::StatusCode;
use maud::{DOCTYPE, Markup, html};

pub(crate) const CSS: &str = "\
:root{color-scheme:light dark;--line:#8884;--dim:#777}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}h3{font-size:1rem}\
nav{display:flex;gap:1rem;flex-wrap:wrap;border-bottom:1px solid var(--line);padding-bottom:.5rem}\
a{color:inherit}.dim{color:var(--dim)}\
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1rem;padding:0;list-style:none}\
.cards li,.box{border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;margin:.5rem 0}\
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--line)}\
pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem;border-left:3px solid var(--line);padding-left:.75rem}\
code{overflow-wrap:anywhere}label{display:block;margin:.5rem 0}\
input,select,button{font:inherit;padding:.4rem .6rem;max-width:100%}input[type=password]{width:30rem}\
.state{border:1px solid var(--line);border-radius:1rem;padding:0 .6rem;font-size:.85rem;white-space:nowrap}\
.succeeded{border-color:#2a7}.failed{border-color:#c33}.retrying,.waiting{border-color:#c80}";

/// A whole page.
pub(crate) fn page(title: &str, body: Markup) -> Html<String> {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/assets/site.css";
            }
            body {
                nav { a href="/integrations" { "Integrations" } a href="/console/connections" { "Connections" } a href="/console/syncs" { "Syncs" } }
                main { h1 { (title) } (body) }
            }
        }
    };
    Html(markup.into_string())
}

/// What a page may load, and where its forms may lead: here, and to these `origins`.
pub(crate) fn policy(origins: &BTreeSet<String>) -> String {
    let mut forms = String::from("'self'");
    for origin in origins {
        forms.push(' ');
        forms.push_str(origin);
    }
    format!("default-src 'none'; style-src 'self'; img-src 'self'; form-action {forms}; base-uri 'none'; frame-ancestors 'none'")
}

/// A page with one sentence.
pub(crate) fn message(status: StatusCode, words: &str) -> Response {
    (status, page(status.canonical_reason().unwrap_or("Sorry"), html! { p { (words) } })).into_response()
}

/// A service's error as a page. Someone else's things are as absent as things that never were.
pub(crate) fn sorry(error: &ServiceError) -> Response {
    match error {
        ServiceError::NotFound(_) => message(StatusCode::NOT_FOUND, "There is nothing here."),
        ServiceError::Invalid(_) | ServiceError::Conflict { .. } => message(StatusCode::BAD_REQUEST, &error.to_string()),
        _ => {
            tracing::error!(%error, "a page could not be shown");
            message(StatusCode::SERVICE_UNAVAILABLE, "This cannot be shown at the moment. Try again later.")
        }
    }
}

/// Unix milliseconds, to the second.
pub(crate) fn time(ms: u64) -> Markup {
    let text = i64::try_from(ms / 1_000).ok().and_then(|s| jiff::Timestamp::from_second(s).ok()).map(|t| t.to_string());
    html! { time { (text.unwrap_or_default()) } }
}
