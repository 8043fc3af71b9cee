//! The public application page of a program. It needs no script, no cookie and no key, and it says the same to everyone: whether an e-mail is
//! known here shows neither in words, nor in where it leads, nor in how long it takes.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use crm_sync::services::applications::{self, Application, Program};
use crm_sync::services::{FieldError, ServiceError};
use http::{HeaderValue, StatusCode, header};
use maud::{Markup, html};
use tokio::time::Instant;

use crate::Site;
use crate::layout::{public_page, public_sorry};
use crate::offer::{self, Field, field, offer, summary};
use crate::stamp::Age;
use crate::visitors::{self, Named, Typed};

/// People do not see this field; programs that fill in every field do.
const TRAP: &str = "topic";
const STAMP: &str = "stamp";

pub(crate) async fn show(State(site): State<Site>, Named(handle): Named) -> Response {
    match applications::program(&site.state.ctx, &handle).await {
        Ok(program) if program.campaign.open => {
            let stamp = site.visitors.stamps.fresh(&program.campaign.program, site.state.ctx.now());
            form_page(StatusCode::OK, &program, &Typed::default(), &stamp, &[])
        }
        Ok(program) => closed(&program),
        Err(error) => public_sorry(&error),
    }
}

/// What everyone sees who has applied, known or new, approved at once or not.
pub(crate) async fn thanks(State(site): State<Site>, Named(handle): Named) -> Response {
    match applications::program(&site.state.ctx, &handle).await {
        Ok(Program { campaign, organization }) => {
            let body = html! {
                p { "Your application to " strong { (campaign.name) } " is with " strong { (organization) } "." }
                p { (organization) " will be in touch at the e-mail address you gave. If you had applied before, there is nothing more to do: what you sent first still counts." }
            };
            public_page("Thank you", body).into_response()
        }
        Err(error) => public_sorry(&error),
    }
}

pub(crate) async fn send(State(site): State<Site>, Named(handle): Named, request: Request) -> Response {
    let began = Instant::now();
    let response = taken(&site, &handle, request).await;
    site.visitors.settle(began).await;
    response
}

async fn taken(site: &Site, handle: &str, request: Request) -> Response {
    let (from, headers, body) = visitors::apart(request);
    let form = match visitors::typed(&headers, body).await {
        Ok(form) => form,
        Err(page) => return page,
    };
    let context = visitors::on_behalf(&site.state.ctx, from);
    let program = match applications::program(&context, handle).await {
        Ok(program) if program.campaign.open => program,
        Ok(program) => return closed(&program),
        Err(error) => return public_sorry(&error),
    };
    let name = &program.campaign.program;
    if form.ticked(TRAP) {
        return thanked(name);
    }
    let stamps = &site.visitors.stamps;
    let age = stamps.age(name, context.now(), form.text(STAMP));
    // A form that is shown again keeps its own time, or can be sent at once.
    let stamp = if age == Age::Unknown { stamps.ripe(name, context.now()) } else { form.text(STAMP).to_owned() };
    let again = |status, wrong: &[FieldError]| form_page(status, &program, &form, &stamp, wrong);
    let application = read(&form);
    if let Err(error) = applications::check(&context, &program, &application) {
        return refused(error, again);
    }
    match age {
        Age::Young => return thanked(name),
        Age::Unknown => {
            let words = "this page was open for a long time; send the form once more";
            return again(StatusCode::UNPROCESSABLE_ENTITY, &[FieldError { field: String::new(), message: words.to_owned() }]);
        }
        Age::Ripe => {}
    }
    if let Err(wait_s) = site.visitors.admit(from, &program.campaign.id, context.now()) {
        let words = format!("too many applications came in of late; send the form again in {}", minutes(wait_s));
        let mut response = again(StatusCode::TOO_MANY_REQUESTS, &[FieldError { field: String::new(), message: words }]);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
        return response;
    }
    match applications::apply(&context, &program, &application).await {
        Ok(()) => thanked(name),
        Err(ServiceError::Conflict { code: "closed", .. }) => closed(&program),
        Err(error) => refused(error, again),
    }
}

fn refused(error: ServiceError, again: impl Fn(StatusCode, &[FieldError]) -> Response) -> Response {
    match error {
        ServiceError::Invalid(wrong) => again(StatusCode::UNPROCESSABLE_ENTITY, &wrong),
        error => public_sorry(&error),
    }
}

fn read(form: &Typed) -> Application {
    Application {
        email: form.text("email").to_owned(),
        full: form.filled("full"),
        company: form.filled("company"),
        website: form.filled("website"),
        promotes: form.filled("promotes"),
        slug: form.filled("slug"),
        consent: form.ticked("consent"),
    }
}

fn thanked(program: &str) -> Response {
    Redirect::to(&format!("/p/{program}/thanks")).into_response()
}

fn minutes(seconds: u32) -> String {
    match seconds.div_ceil(60) {
        0 | 1 => "a minute".to_owned(),
        more => format!("{more} minutes"),
    }
}

fn closed(program: &Program) -> Response {
    let body = html! {
        p.by { "by " (program.organization) }
        p { strong { "This program takes no applications at the moment." } }
    };
    public_page(&program.campaign.name, body).into_response()
}

const fn line(name: &'static str, label: &'static str, hint: &'static str, longest: usize) -> Field<'static> {
    Field { name, label, hint, kind: "text", autocomplete: "off", required: false, longest, value: "" }
}

const FIELDS: [Field<'static>; 6] = [
    Field { kind: "email", autocomplete: "email", required: true, ..line("email", "E-mail", "", 254) },
    Field { autocomplete: "name", ..line("full", "Full name", "", 400) },
    Field { autocomplete: "organization", ..line("company", "Company", "", 200) },
    line("website", "Website or channel", "Where people find you: an address, or the name of your channel.", 300),
    Field { kind: "area", ..line("promotes", "How will you promote us?", "", 1_000) },
    line(
        "slug",
        "Wished link name",
        "The end of your affiliate link: 3 to 64 letters, digits or hyphens. If somebody has it, you get another one.",
        64,
    ),
];

fn label(name: &str) -> Option<&'static str> {
    if name == "consent" { Some("Your consent") } else { FIELDS.iter().find(|f| f.name == name).map(|f| f.label) }
}

fn form_page(status: StatusCode, program: &Program, typed: &Typed, stamp: &str, wrong: &[FieldError]) -> Response {
    let campaign = &program.campaign;
    let body = html! {
        p.by { "by " (program.organization) }
        (offer(program))
        h2 #apply { "Apply" }
        (summary(wrong, label))
        form.public method="post" action={ "/p/" (campaign.program) } {
            @for known in &FIELDS { (field(&Field { value: typed.text(known.name), ..*known }, wrong)) }
            (trap())
            input type="hidden" name=(STAMP) value=(stamp);
            (offer::consent(program, typed.ticked("consent"), wrong))
            button { "Apply" }
        }
    };
    let title = if wrong.is_empty() { campaign.name.clone() } else { format!("Error: {}", campaign.name) };
    (status, public_page(&title, body)).into_response()
}

/// Hidden from people by the style sheet, and said to those who hear the page anyway.
fn trap() -> Markup {
    html! {
        div.apart aria-hidden="true" {
            label for=(TRAP) { "Leave this empty" }
            input #(TRAP) name=(TRAP) type="text" tabindex="-1" autocomplete="off";
        }
    }
}
