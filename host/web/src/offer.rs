//! What the application page and the invitation page share: the campaign in words, fields that say what is wrong with them, and the consent.

use crm_sync::domain::Attribution;
use crm_sync::services::applications::Program;
use crm_sync::services::{FieldError, commission};
use maud::{Markup, html};

/// The campaign as the person who might join it reads it.
pub(crate) fn offer(program: &Program) -> Markup {
    let campaign = &program.campaign;
    let attribution = match campaign.attribution {
        Attribution::FirstTouch => "The first affiliate link that a customer follows counts.",
        Attribution::LastTouch => "The last affiliate link that a customer follows counts.",
    };
    html! {
        @if let Some(text) = &campaign.description { (paragraphs(text)) }
        dl.terms {
            div { dt { "You earn" } dd { (commission::words(&campaign.commission)) } }
            div { dt { "Counted for" } dd { (campaign.cookie_window_days) " days after somebody follows your link" } }
            div { dt { "When several links were followed" } dd { (attribution) } }
            @if let Some(url) = &campaign.terms_url {
                div { dt { "Terms" } dd { a href=(url) rel="noopener noreferrer nofollow" { "Read the terms" } } }
            }
        }
    }
}

/// Text as it was typed: blank lines part paragraphs, line ends stay.
fn paragraphs(text: &str) -> Markup {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let paragraphs = text.split("\n\n").map(str::trim).filter(|p| !p.is_empty());
    html! { @for paragraph in paragraphs { p.text { (paragraph) } } }
}

/// A field of a form: what it is, what stands in it, and what is wrong.
pub(crate) struct Field<'a> {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) hint: &'static str,
    /// `text`, `email`, or `area` for several lines.
    pub(crate) kind: &'static str,
    /// What browsers may fill in.
    pub(crate) autocomplete: &'static str,
    pub(crate) required: bool,
    pub(crate) longest: usize,
    pub(crate) value: &'a str,
}

pub(crate) fn field(field: &Field<'_>, wrong: &[FieldError]) -> Markup {
    let Field { name, label, hint, kind, autocomplete, required, longest, value } = *field;
    let trouble = wrong.iter().find(|w| w.field == name);
    let described = described(name, !hint.is_empty(), trouble.is_some());
    let invalid = trouble.map(|_| "true");
    let spelled = matches!(name, "email" | "website" | "slug").then_some("none");
    html! {
        div.field {
            label for=(name) { (label) @if !required { span.dim { " (optional)" } } }
            @if !hint.is_empty() { p.hint id={ (name) "-hint" } { (hint) } }
            (trouble_line(name, trouble))
            @if kind == "area" {
                // A line end right after the tag is not part of the text: one more keeps what begins with one.
                textarea #(name) name=(name) rows="4" maxlength=(longest) aria-describedby=[described] aria-invalid=[invalid] { "\n" (value) }
            } @else {
                input #(name) name=(name) type=(kind) value=(value) maxlength=(longest) autocomplete=(autocomplete) required[required]
                    autocapitalize=[spelled] aria-describedby=[described] aria-invalid=[invalid];
            }
        }
    }
}

/// The box without which nothing is taken. Its words name who asks.
pub(crate) fn consent(program: &Program, ticked: bool, wrong: &[FieldError]) -> Markup {
    let trouble = wrong.iter().find(|w| w.field == "consent");
    html! {
        div.field.box-field {
            (trouble_line("consent", trouble))
            input #consent name="consent" type="checkbox" value="yes" required checked[ticked]
                aria-describedby=[described("consent", false, trouble.is_some())] aria-invalid=[trouble.map(|_| "true")];
            label for="consent" {
                "I agree that " strong { (program.organization) } " keeps what I enter here and writes to me about "
                strong { (program.campaign.name) } "."
                @if program.campaign.terms_url.is_some() { " I accept the terms above." }
            }
        }
    }
}

fn described(name: &str, hint: bool, trouble: bool) -> Option<String> {
    let parts = [(hint, "-hint"), (trouble, "-wrong")];
    let ids: Vec<String> = parts.iter().filter(|(there, _)| *there).map(|(_, end)| format!("{name}{end}")).collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

fn trouble_line(name: &str, trouble: Option<&FieldError>) -> Markup {
    html! { @if let Some(trouble) = trouble { p.wrong id={ (name) "-wrong" } { (sentence(&trouble.message)) } } }
}

/// What is wrong with the whole form, with links to the fields.
pub(crate) fn summary(wrong: &[FieldError], labels: impl Fn(&str) -> Option<&'static str>) -> Markup {
    html! {
        @if !wrong.is_empty() {
            div.summary role="alert" tabindex="-1" autofocus {
                h2 { "This cannot be sent yet" }
                ul {
                    @for trouble in wrong {
                        li {
                            @match labels(&trouble.field) {
                                Some(label) => a href={ "#" (trouble.field) } { (label) ": " (trouble.message) },
                                None => (sentence(&trouble.message)),
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The words of a service as a sentence.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect::<String>() + ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_part_paragraphs_and_nothing_in_a_text_is_markup() {
        let shown = paragraphs("One\r\ntwo\r\n\r\n\n\n<b>three</b>\n\n  \n").into_string();
        assert_eq!(shown, "<p class=\"text\">One\ntwo</p><p class=\"text\">&lt;b&gt;three&lt;/b&gt;</p>");
    }

    #[test]
    fn what_is_wrong_is_tied_to_its_field() {
        let wrong = [FieldError { field: "email".to_owned(), message: "an e-mail address is needed".to_owned() }];
        let email = Field {
            name: "email",
            label: "E-mail",
            hint: "",
            kind: "email",
            autocomplete: "email",
            required: true,
            longest: 254,
            value: "\"><script>",
        };
        let shown = field(&email, &wrong).into_string();
        assert!(
            shown.contains("aria-describedby=\"email-wrong\"") && shown.contains("id=\"email-wrong\">An e-mail address is needed."),
            "{shown}"
        );
        assert!(shown.contains("aria-invalid=\"true\"") && !shown.contains("<script"), "{shown}");
        assert!(!field(&email, &[]).into_string().contains("aria-"));
        assert!(summary(&wrong, |_| Some("E-mail")).into_string().contains("<a href=\"#email\">E-mail: an e-mail address is needed</a>"));
    }
}
