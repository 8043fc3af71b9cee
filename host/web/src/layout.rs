//! What all pages share: the frame, the style sheet, plain messages. No script anywhere.

use std::collections::BTreeSet;

use axum::response::{Html, IntoResponse, Response};
use crm_sync::services::ServiceError;
use http::StatusCode;
use maud::{DOCTYPE, Markup, html};

pub(crate) const CSS: &str = "\
:root{color-scheme:light dark;--line:#8884;--dim:#636363;--bad:#b3261e}\
@media(prefers-color-scheme:dark){:root{--dim:#aaa;--bad:#ff9d94}}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}h3{font-size:1rem}\
nav{display:flex;gap:1rem;flex-wrap:wrap;border-bottom:1px solid var(--line);padding-bottom:.5rem}\
a{color:inherit}.dim{color:var(--dim)}\
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1rem;padding:0;list-style:none}\
.cards li,.box{border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;margin:.5rem 0}\
.cards li{margin:0}.cards h2{margin:0 0 .25rem}.cards p{margin:.25rem 0}\
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--line)}\
pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem;border-left:3px solid var(--line);padding-left:.75rem}\
code{overflow-wrap:anywhere}label{display:block;margin:.5rem 0}\
input,select,button{font:inherit;padding:.4rem .6rem;max-width:100%}input[type=password]{width:30rem}\
.state{border:1px solid var(--line);border-radius:1rem;padding:0 .6rem;font-size:.85rem;white-space:nowrap}\
.succeeded{border-color:#2a7}.failed{border-color:#c33}.retrying,.waiting{border-color:#c80}\
.search{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:end}.search label{margin:0;flex:1 1 12rem}\
.search input,.search select,.search button{min-height:2.6rem}.search input,.search select{display:block;width:100%;box-sizing:border-box}.search a{padding:.4rem 0}\
.toc{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding:0;list-style:none}.calls li{margin:.5rem 0}details{margin:.25rem 0 .75rem}summary{cursor:pointer;color:var(--dim)}\
.narrow{max-width:40rem;overflow-wrap:anywhere}.text{white-space:pre-line}.by{color:var(--dim);margin-top:-.75rem}\
.terms div{padding:.5rem 0;border-bottom:1px solid var(--line)}.terms dt{color:var(--dim);font-size:.9rem}.terms dd{margin:0;font-weight:600}\
.public input:not([type=checkbox]),.public textarea{display:block;width:100%;box-sizing:border-box;border:1px solid #888;border-radius:.35rem}\
.public textarea{font:inherit;padding:.4rem .6rem;resize:vertical}\
.public button{width:100%;padding:.75rem;font-weight:600;border:0;border-radius:.35rem;background:#1d5fbf;color:#fff;cursor:pointer}\
.public :focus-visible,.summary:focus-visible{outline:3px solid #e0a400;outline-offset:2px}\
.field{margin:1.25rem 0}.field label{margin:0 0 .25rem;font-weight:600}.hint{color:var(--dim);margin:0 0 .25rem;font-size:.9rem}\
.field span.dim{font-weight:400}.wrong{color:var(--bad);margin:0 0 .25rem;font-weight:600}[aria-invalid=true]{border-color:var(--bad)!important;border-width:2px!important}\
.box-field{display:grid;grid-template-columns:auto 1fr;gap:.25rem .75rem;align-items:start}.box-field .wrong{grid-column:1/-1}\
.box-field input{width:1.5rem;height:1.5rem;margin:0}.box-field label,.box-field strong{font-weight:400;margin:0}\
.summary{border:3px solid var(--bad);border-radius:.35rem;padding:.25rem 1rem;margin:1rem 0}.summary h2{margin:.5rem 0;font-size:1.05rem}.summary a{color:var(--bad)}\
.apart{position:absolute;left:-10000px;width:1px;height:1px;overflow:hidden}";

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

/// A page for people who are nobody's customers here: nothing leads to the console.
pub(crate) fn public_page(title: &str, body: Markup) -> Html<String> {
    let heading = title.strip_prefix("Error: ").unwrap_or(title);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/assets/site.css";
            }
            body.narrow { main { h1 { (heading) } (body) } }
        }
    };
    Html(markup.into_string())
}

/// A public page with one sentence.
pub(crate) fn public_message(status: StatusCode, words: &str) -> Response {
    (status, public_page(status.canonical_reason().unwrap_or("Sorry"), html! { p { (words) } })).into_response()
}

/// A service's error on a public page: whatever it is, it tells nothing of what is kept here.
pub(crate) fn public_sorry(error: &ServiceError) -> Response {
    if let ServiceError::NotFound(_) = error {
        return public_message(StatusCode::NOT_FOUND, "There is nothing here. Check the address.");
    }
    tracing::error!(%error, "a public page could not be shown");
    public_message(StatusCode::SERVICE_UNAVAILABLE, "This does not work at the moment. Try again later.")
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
