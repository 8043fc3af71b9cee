//! The page behind an invitation's link. Looking at it spends nothing, as mail programs look at links too; only the form does. A link that
//! leads nowhere says so in the same words, whatever became of it.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use crm_sync::services::applications::{self, Program};
use crm_sync::services::invites::{self, Invitation};
use crm_sync::services::{FieldError, ServiceError};
use http::{HeaderName, HeaderValue, StatusCode};
use maud::html;

use crate::Site;
use crate::layout::{public_page, public_sorry};
use crate::offer::{self, Field, field, offer, summary};
use crate::visitors::{self, Named, Typed};

const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

pub(crate) async fn show(State(site): State<Site>, Named(token): Named) -> Response {
    match invites::by_token(&site.state.ctx, &token).await {
        Ok(Some(invitation)) => {
            let name = invitation.invite.name.clone().unwrap_or_default();
            form_page(StatusCode::OK, &invitation, &token, (&name, false), &[])
        }
        Ok(None) => gone(),
        Err(error) => public_sorry(&error),
    }
}

pub(crate) async fn send(State(site): State<Site>, Named(token): Named, request: Request) -> Response {
    let (from, headers, body) = visitors::apart(request);
    let form = match visitors::typed(&headers, body).await {
        Ok(form) => form,
        Err(page) => return page,
    };
    let context = visitors::on_behalf(&site.state.ctx, from);
    match invites::accept(&context, &token, form.filled("full").as_deref(), form.ticked("consent")).await {
        Ok(Some(program)) => Redirect::to(&format!("/p/{}/joined", program.campaign.program)).into_response(),
        Ok(None) => gone(),
        Err(ServiceError::Invalid(wrong)) => shown_again(&site, &token, &form, &wrong).await,
        Err(error) => public_sorry(&error),
    }
}

async fn shown_again(site: &Site, token: &str, form: &Typed, wrong: &[FieldError]) -> Response {
    match invites::by_token(&site.state.ctx, token).await {
        Ok(Some(invitation)) => {
            let typed = (form.text("full"), form.ticked("consent"));
            form_page(StatusCode::UNPROCESSABLE_ENTITY, &invitation, token, typed, wrong)
        }
        Ok(None) => gone(),
        Err(error) => public_sorry(&error),
    }
}

/// What everyone sees who said yes.
pub(crate) async fn joined(State(site): State<Site>, Named(handle): Named) -> Response {
    match applications::program(&site.state.ctx, &handle).await {
        Ok(Program { campaign, organization }) => {
            let body = html! {
                p { "You accepted the invitation to " strong { (campaign.name) } "." }
                p { strong { (organization) } " will be in touch at the e-mail address that was invited." }
            };
            public_page("Thank you", body).into_response()
        }
        Err(error) => public_sorry(&error),
    }
}

fn gone() -> Response {
    let body = html! {
        p { "It was used already, was withdrawn, has run out, or the link is not whole." }
        p { "Ask whoever invited you for a new one." }
    };
    private((StatusCode::NOT_FOUND, public_page("This invitation cannot be used", body)).into_response())
}

fn form_page(status: StatusCode, invitation: &Invitation, token: &str, (name, ticked): (&str, bool), wrong: &[FieldError]) -> Response {
    let Invitation { invite, program } = invitation;
    let full = Field {
        name: "full",
        label: "Full name",
        hint: "",
        kind: "text",
        autocomplete: "name",
        required: false,
        longest: 400,
        value: name,
    };
    let label = |name: &str| match name {
        "full" => Some("Full name"),
        "consent" => Some("Your consent"),
        _ => None,
    };
    let body = html! {
        p { strong { (program.organization) } " invites you. This invitation is for " strong { (masked(&invite.email)) } "." }
        (offer(program))
        h2 { "Accept" }
        (summary(wrong, label))
        form.public method="post" action={ "/i/" (token) } {
            (field(&full, wrong))
            (offer::consent(program, ticked, wrong))
            button { "Accept the invitation" }
        }
    };
    let title = if wrong.is_empty() { program.campaign.name.clone() } else { format!("Error: {}", program.campaign.name) };
    private((status, public_page(&title, body)).into_response())
}

/// Whose page it is must not end up in a search engine.
fn private(mut response: Response) -> Response {
    response.headers_mut().insert(ROBOTS, HeaderValue::from_static("noindex, nofollow"));
    response
}

/// Enough of an address to know one's own by.
fn masked(email: &str) -> String {
    match email.trim().rsplit_once('@') {
        Some((local, domain)) => format!("{}•••@{domain}", local.chars().take(1).collect::<String>()),
        None => "•••".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_masked_but_for_its_first_letter_and_its_domain() {
        for (email, shown) in [("zoe@example.com", "z•••@example.com"), ("é@x.yz", "é•••@x.yz"), ("odd", "•••")] {
            assert_eq!(masked(email), shown);
        }
    }
}
