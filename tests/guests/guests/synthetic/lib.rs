//! A well-behaved guest that uses everything the contract has, so that no host path waits for a vendor to be run. The
//! setting `behave` chooses how a function ends. Must not import anything but the world.

wit_bindgen::generate!({ path: "../../../../wit/since-v0.1.0", world: "connector" });

use rekomi::crm_connector::egress::{self, Body, Request, Response, Unanswered};
use rekomi::crm_connector::log::{self, Level};
use rekomi::crm_connector::types::*;

struct Synthetic;
export!(Synthetic);

const UNKNOWN_MAIL: &str = "nobody@example.com";

fn pair(key: &str, value: impl Into<String>) -> Pair {
    Pair { key: key.into(), value: value.into() }
}

fn find<'a>(pairs: &'a [Pair], key: &str) -> Option<&'a str> {
    pairs.iter().find(|p| p.key == key).map(|p| p.value.as_str())
}

fn behave(on: &Connection) -> &str {
    find(&on.settings, "behave").unwrap_or("well")
}

fn told(code: impl Into<String>, text: impl Into<String>) -> Told {
    Told { code: code.into(), text: text.into() }
}

/// The error that a setting asks for, so that every case of the variant crosses the border once.
fn asked_for(on: &Connection) -> Option<Error> {
    Some(match behave(on) {
        "retryable" => Error::Retryable(told("503", "come again")),
        "rate-limited" => Error::RateLimited(Throttle { after_seconds: Some(7), limit: Some("burst".into()) }),
        "credentials" => Error::Credentials(Refusal { trouble: Trouble::Expired, told: told("401", "the token has expired") }),
        "rejected" => Error::Rejected(Rejection { field: "email".into(), told: told("422", "not an address") }),
        "destination-missing" => Error::DestinationMissing(told("404", "no such list")),
        "stale" => Error::Stale(vec!["list_name".into()]),
        "unsupported" => Error::Unsupported(told("no", "this cannot be done")),
        "permanent" => Error::Permanent(told("410", "gone for good")),
        _ => return None,
    })
}

fn send(call: &str, path: Vec<Pair>, query: Vec<Pair>, body: Body) -> Result<Response, Error> {
    let request = Request { call: call.into(), path, query, headers: vec![], body };
    match egress::send(&request) {
        Ok(response) if response.status == 429 => {
            let after = response.headers.iter().find(|h| h.key == "retry-after").and_then(|h| h.value.parse().ok());
            Err(Error::RateLimited(Throttle { after_seconds: after, limit: Some("burst".into()) }))
        }
        Ok(response) if response.status == 401 => {
            Err(Error::Credentials(Refusal { trouble: Trouble::Invalid, told: told("401", text(&response)) }))
        }
        Ok(response) if response.status >= 500 => Err(Error::Retryable(told(response.status.to_string(), text(&response)))),
        Ok(response) => Ok(response),
        Err(Unanswered::Throttled(throttle)) => Err(Error::RateLimited(throttle)),
        Err(Unanswered::Unreachable) => Err(Error::Retryable(told("unreachable", ""))),
        Err(Unanswered::TimedOut) => Err(Error::Retryable(told("timed-out", ""))),
        Err(Unanswered::TooLarge) => Err(Error::Permanent(told("too-large", ""))),
        Err(Unanswered::UnknownOutcome) => Err(Error::Retryable(told("unknown-outcome", "looking first"))),
        Err(Unanswered::Refused(why)) => Err(Error::Permanent(told("refused", why))),
    }
}

fn text(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

/// `id=7` lines: the synthetic vendor speaks no JSON, so that this guest needs no parser.
fn line<'a>(body: &'a str, key: &str) -> Option<&'a str> {
    body.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('='))
}

fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn sync(job: &Job, known: &mut Known) -> Result<Ending, Error> {
    let found = send("find", vec![], vec![pair("email", &job.who.email)], Body::None)?;
    let id = line(&text(&found), "id").map(str::to_owned);
    let fresh = id.is_none();
    let body = Body::Json(format!("{{\"email\":{}}}", quote(&job.who.email)));
    let saved = send("save", vec![], vec![], body)?;
    let id = line(&text(&saved), "id").map(str::to_owned).or(id).unwrap_or_default();
    // Kept at once: should the next call fail, the id is not lost.
    known.contact_id = Some(id.clone());
    for tag in &job.set {
        let wire = job.on.tags.iter().find(|t| t.name == *tag).map_or(tag.as_str(), |t| t.wire.as_str());
        send("tag", vec![pair("id", &id)], vec![], Body::Form(vec![pair("tag", wire)]))?;
        known.tags.push(tag.clone());
    }
    let change = if fresh { Change::Created } else { Change::Updated };
    Ok(Ending::Done(Success { change, standing: Standing::Normal, warnings: vec![] }))
}

fn done(change: Change, standing: Standing) -> Ending {
    Ending::Done(Success { change, standing, warnings: vec![] })
}

impl Guest for Synthetic {
    fn verify(on: Connection) -> Result<Account, Error> {
        if let Some(error) = asked_for(&on) {
            return Err(error);
        }
        let answer = text(&send("whoami", vec![], vec![], Body::None)?);
        Ok(Account {
            id: line(&answer, "account").map(str::to_owned),
            name: line(&answer, "name").map(str::to_owned),
            choice: None,
            lacking: line(&answer, "lacking").map(str::to_owned).into_iter().collect(),
            facts: vec![pair("plan", line(&answer, "plan").unwrap_or("free"))],
        })
    }

    fn list_choices(on: Connection, picker: String, search: Option<String>, cursor: Option<String>) -> Result<Page, Error> {
        if let Some(error) = asked_for(&on) {
            return Err(error);
        }
        let mut query = vec![pair("kind", picker)];
        query.extend(search.map(|s| pair("q", s)));
        query.extend(cursor.map(|c| pair("after", c)));
        let answer = text(&send("choices", vec![], query, Body::None)?);
        let choice = |item: &str| {
            let (id, name) = item.split_once(':')?;
            Some(Choice { id: id.into(), name: name.into(), detail: None, selectable: true, facts: vec![pair("list_name", name)] })
        };
        let items = answer.lines().filter_map(|l| l.strip_prefix("item=")).filter_map(choice).collect();
        Ok(Page { items, next: line(&answer, "next").map(str::to_owned) })
    }

    fn prepare(on: Connection, tags: Vec<String>, _fields: Vec<String>, apply: bool) -> Result<Prepared, Error> {
        if let Some(error) = asked_for(&on) {
            return Err(error);
        }
        let mut prepared = Prepared { facts: vec![pair("list_name", "main")], tags: vec![], to_create: vec![] };
        let there = text(&send("tags", vec![], vec![], Body::None)?);
        for tag in tags {
            let known = there.lines().filter_map(|l| l.strip_prefix("tag=")).find_map(|l| Some(l.split_once(':')?).filter(|t| t.1 == tag));
            let id = match known {
                Some((id, _)) => Some(id.to_owned()),
                None if apply => {
                    let made = text(&send("make_tag", vec![], vec![], Body::Form(vec![pair("name", &tag)]))?);
                    line(&made, "id").map(str::to_owned)
                }
                None => None,
            };
            match id {
                Some(id) => prepared.tags.push(Binding { name: tag.clone(), wire: tag, id: Some(id) }),
                None => prepared.to_create.push(Choice { id: tag.clone(), name: tag, detail: None, selectable: true, facts: vec![] }),
            }
        }
        Ok(prepared)
    }

    fn sync_contact(job: Job) -> Report {
        let mut known = job.known.clone();
        let ending = match behave(&job.on) {
            // No call at all: what a run costs besides its calls.
            "idle" => done(Change::Unchanged, Standing::Normal),
            "one-call" => match send("find", vec![], vec![pair("email", &job.who.email)], Body::None) {
                Ok(_) => done(Change::Unchanged, Standing::Normal),
                Err(error) => Ending::Failed(error),
            },
            "later" if job.resume.is_none() => Ending::Later(Later { after_seconds: 5, resume: "ticket-1".into() }),
            "later" => {
                known.contact_id = job.resume.clone();
                done(Change::Updated, Standing::Pending)
            }
            "memo" => {
                let count: u32 = known.memo.as_deref().and_then(|m| m.parse().ok()).unwrap_or(0);
                known.memo = Some((count + 1).to_string());
                done(Change::Unchanged, Standing::Unknown)
            }
            "facts" => match find(&job.on.facts, "list_name") {
                Some(fact) => {
                    known.memo = Some(fact.into());
                    done(Change::Unchanged, Standing::Normal)
                }
                None => Ending::Failed(Error::Stale(vec!["list_name".into()])),
            },
            "log" => {
                for (level, text) in [(Level::Debug, "d"), (Level::Info, "i"), (Level::Warn, "w\nforged"), (Level::Error, "\u{1b}[31me")] {
                    log::line(level, text);
                }
                done(Change::Unchanged, Standing::Archived)
            }
            "warn" => {
                let what =
                    [Remark::SeveralMatches, Remark::DroppedField, Remark::Shortened, Remark::RequiredUnmapped, Remark::NotConfirmed];
                let warnings = what.map(|what| Warning { what, subject: "first".into() }).into();
                Ending::Done(Success { change: Change::Gone, standing: Standing::KeptOptedOut, warnings })
            }
            // Everything it was given, as text: proves that the border loses nothing.
            "echo" => Ending::Failed(Error::Permanent(told("echo", format!("{:?} {:?}", job.who, job.all)))),
            _ => match asked_for(&job.on) {
                Some(error) => Ending::Failed(error),
                None => sync(&job, &mut known).unwrap_or_else(Ending::Failed),
            },
        };
        Report { known, ending }
    }

    fn untag_contact(job: Job) -> Report {
        let mut known = job.known.clone();
        if let Some(error) = asked_for(&job.on) {
            return Report { known, ending: Ending::Failed(error) };
        }
        let id = known.contact_id.clone().unwrap_or_default();
        for tag in &job.clear {
            if let Err(error) = send("untag", vec![pair("id", &id), pair("tag", tag)], vec![], Body::None) {
                return Report { known, ending: Ending::Failed(error) };
            }
            known.tags.retain(|t| t != tag);
        }
        Report { known, ending: done(Change::Updated, Standing::Normal) }
    }

    fn lookup_contact(on: Connection, who: Person, known: Known) -> Result<Option<Seen>, Error> {
        if let Some(error) = asked_for(&on) {
            return Err(error);
        }
        if who.email == UNKNOWN_MAIL {
            return Ok(None);
        }
        let answer = text(&send("find", vec![], vec![pair("email", &who.email)], Body::None)?);
        Ok(line(&answer, "id").map(|id| Seen {
            known: Known { contact_id: Some(id.into()), tags: known.tags, memo: known.memo },
            standing: if line(&answer, "opted") == Some("out") { Standing::KeptOptedOut } else { Standing::Normal },
            in_destination: Some(true),
        }))
    }
}
