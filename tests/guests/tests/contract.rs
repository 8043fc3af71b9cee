//! Everything that the contract can say crosses the border and comes out the same, exercised by the guest `synthetic`.

mod common;

use common::{Shared, call_logged, failure, report};
use crm_contract::ports::{Guests, LogLevel};
use crm_contract::types::*;
use crm_guests::doubles::{Lines, World, connection, job, sync};

static SYNTHETIC: Shared = Shared::new("synthetic");

/// The vendor that `synthetic` knows: plain text, one `key=value` per line.
fn vendor(request: &Request) -> Result<Response, Unanswered> {
    let body = match request.call.as_str() {
        "whoami" => "account=a1\nname=Acme\nlacking=write:tags\nplan=pro",
        "choices" if find(&request.query, "after").is_none() => "item=1:First\nitem=2:Second\nnext=p2",
        "choices" => "item=3:Third",
        "tags" => "tag=11:Rekomi affiliate",
        "make_tag" => "id=12",
        "save" => "id=77",
        _ => "",
    };
    Ok(Response { status: 200, headers: vec![], body: body.into() })
}

#[tokio::test]
async fn verify_names_the_account() {
    let answer = SYNTHETIC.call(Invocation::Verify { on: connection("well") }, World::new(vendor)).await;
    let account = Account {
        id: Some("a1".into()),
        name: Some("Acme".into()),
        choice: None,
        lacking: vec!["write:tags".into()],
        facts: vec![Pair::new("plan", "pro")],
    };
    assert_eq!(answer, Ok(Answer::Account(Ok(account))));
}

#[tokio::test]
async fn pickers_are_read_page_by_page() {
    let ask = |cursor: Option<&str>| Invocation::ListChoices {
        on: connection("well"),
        picker: "lists".into(),
        search: Some("f".into()),
        cursor: cursor.map(Into::into),
    };
    let world = World::new(vendor);
    let Ok(Answer::Page(Ok(first))) = SYNTHETIC.call(ask(None), world.clone()).await else { panic!("no page") };
    assert_eq!((first.items.len(), first.next.as_deref()), (2, Some("p2")));
    let Ok(Answer::Page(Ok(second))) = SYNTHETIC.call(ask(first.next.as_deref()), world.clone()).await else { panic!("no page") };
    assert_eq!((second.items[0].name.as_str(), second.next), ("Third", None));
    assert_eq!(world.asked()[1].query, vec![Pair::new("kind", "lists"), Pair::new("q", "f"), Pair::new("after", "p2")]);
}

#[tokio::test]
async fn prepare_says_what_is_missing_and_creates_it_when_told_to() {
    let tags = vec!["Rekomi affiliate".to_owned(), "VIP".to_owned()];
    let ask = |apply| Invocation::Prepare { on: connection("well"), tags: tags.clone(), fields: vec![], apply };
    let world = World::new(vendor);
    let Ok(Answer::Prepared(Ok(dry))) = SYNTHETIC.call(ask(false), world.clone()).await else { panic!("not prepared") };
    assert_eq!(dry.to_create.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["VIP"]);
    assert_eq!(world.calls(), ["tags"]);
    let Ok(Answer::Prepared(Ok(wet))) = SYNTHETIC.call(ask(true), world.clone()).await else { panic!("not prepared") };
    assert!(wet.to_create.is_empty());
    assert_eq!(wet.tags[1], Binding { name: "VIP".into(), wire: "VIP".into(), id: Some("12".into()) });
    assert_eq!(wet.facts, [Pair::new("list_name", "main")]);
    assert_eq!(world.calls(), ["tags", "tags", "make_tag"]);
}

#[tokio::test]
async fn a_sync_finds_saves_and_tags() {
    let world = World::new(vendor);
    let report = report(SYNTHETIC.call(sync("well"), world.clone()).await);
    assert_eq!(report.ending, Ending::Done(Success { change: Change::Created, standing: Standing::Normal, warnings: vec![] }));
    assert_eq!(report.known, Known { contact_id: Some("77".into()), tags: vec!["Rekomi affiliate".into()], memo: None });
    assert_eq!(world.calls(), ["find", "save", "tag"]);
    let asked = world.asked();
    assert_eq!(asked[1].body, Body::Json("{\"email\":\"ann@example.com\"}".into()));
    assert_eq!(asked[2].path, [Pair::new("id", "77")]);
    assert_eq!(asked[2].body, Body::Form(vec![Pair::new("tag", "Rekomi affiliate")]));
}

#[tokio::test]
async fn an_id_survives_the_failure_of_a_later_step() {
    let world = World::new(|request| if request.call == "tag" { Err(Unanswered::TimedOut) } else { vendor(request) });
    let report = report(SYNTHETIC.call(sync("well"), world).await);
    assert_eq!(report.known.contact_id.as_deref(), Some("77"));
    assert!(matches!(report.ending, Ending::Failed(Error::Retryable(told)) if told.code == "timed-out"));
}

#[tokio::test]
async fn every_way_of_having_no_answer_reaches_the_guest() {
    let throttle = Throttle { after_seconds: Some(9), limit: Some("day".into()) };
    let cases = [
        (Unanswered::Throttled(throttle.clone()), Error::RateLimited(throttle)),
        (Unanswered::Unreachable, Error::Retryable(Told { code: "unreachable".into(), text: String::new() })),
        (Unanswered::TimedOut, Error::Retryable(Told { code: "timed-out".into(), text: String::new() })),
        (Unanswered::TooLarge, Error::Permanent(Told { code: "too-large".into(), text: String::new() })),
        (Unanswered::UnknownOutcome, Error::Retryable(Told { code: "unknown-outcome".into(), text: "looking first".into() })),
        (Unanswered::Refused("field".into()), Error::Permanent(Told { code: "refused".into(), text: "field".into() })),
    ];
    for (why, expected) in cases {
        let given = why.clone();
        let world = World::new(move |_| Err(given.clone()));
        assert_eq!(failure(SYNTHETIC.call(sync("well"), world).await), expected, "{why:?}");
    }
}

#[tokio::test]
async fn response_headers_and_status_reach_the_guest() {
    let world = World::new(|_| Ok(Response { status: 429, headers: vec![Pair::new("retry-after", "30")], body: vec![] }));
    let expected = Error::RateLimited(Throttle { after_seconds: Some(30), limit: Some("burst".into()) });
    assert_eq!(failure(SYNTHETIC.call(sync("well"), world).await), expected);
}

#[tokio::test]
async fn every_error_comes_out_as_it_went_in() {
    let told = |code: &str, text: &str| Told { code: code.into(), text: text.into() };
    let cases = [
        ("retryable", Error::Retryable(told("503", "come again"))),
        ("rate-limited", Error::RateLimited(Throttle { after_seconds: Some(7), limit: Some("burst".into()) })),
        ("credentials", Error::Credentials(Refusal { trouble: Trouble::Expired, told: told("401", "the token has expired") })),
        ("rejected", Error::Rejected(Rejection { field: "email".into(), told: told("422", "not an address") })),
        ("destination-missing", Error::DestinationMissing(told("404", "no such list"))),
        ("stale", Error::Stale(vec!["list_name".into()])),
        ("unsupported", Error::Unsupported(told("no", "this cannot be done"))),
        ("permanent", Error::Permanent(told("410", "gone for good"))),
    ];
    for (behave, error) in cases {
        assert_eq!(failure(SYNTHETIC.call(sync(behave), World::refuses()).await), error);
        let on = connection(behave);
        let verified = SYNTHETIC.call(Invocation::Verify { on: on.clone() }, World::refuses()).await;
        assert_eq!(verified, Ok(Answer::Account(Err(error.clone()))));
        let who = job("").who;
        let seen = SYNTHETIC.call(Invocation::LookupContact { on: on.clone(), who, known: Known::default() }, World::refuses()).await;
        assert_eq!(seen, Ok(Answer::Seen(Err(error.clone()))));
        let prepare = Invocation::Prepare { on: on.clone(), tags: vec![], fields: vec![], apply: false };
        assert_eq!(SYNTHETIC.call(prepare, World::refuses()).await, Ok(Answer::Prepared(Err(error.clone()))));
        let pick = Invocation::ListChoices { on, picker: "lists".into(), search: None, cursor: None };
        assert_eq!(SYNTHETIC.call(pick, World::refuses()).await, Ok(Answer::Page(Err(error))));
    }
}

#[tokio::test]
async fn later_is_handed_back_to_the_next_look() {
    let first = report(SYNTHETIC.call(sync("later"), World::refuses()).await);
    let Ending::Later(later) = first.ending else { panic!("not later") };
    assert_eq!(later, Later { after_seconds: 5, resume: "ticket-1".into() });
    let job = Job { resume: Some(later.resume), ..job("later") };
    let second = report(SYNTHETIC.call(Invocation::SyncContact { job }, World::refuses()).await);
    assert_eq!(second.known.contact_id.as_deref(), Some("ticket-1"));
    assert!(matches!(second.ending, Ending::Done(Success { standing: Standing::Pending, change: Change::Updated, .. })));
}

#[tokio::test]
async fn memo_and_facts_are_handed_back() {
    let mut job = Job { known: Known { memo: Some("41".into()), ..Known::default() }, ..job("memo") };
    assert_eq!(
        report(SYNTHETIC.call(Invocation::SyncContact { job: job.clone() }, World::refuses()).await).known.memo.as_deref(),
        Some("42")
    );
    job.on = connection("facts");
    let error = failure(SYNTHETIC.call(Invocation::SyncContact { job: job.clone() }, World::refuses()).await);
    assert_eq!(error, Error::Stale(vec!["list_name".into()]));
    job.on.facts = vec![Pair::new("list_name", "main")];
    assert_eq!(report(SYNTHETIC.call(Invocation::SyncContact { job }, World::refuses()).await).known.memo.as_deref(), Some("main"));
}

#[tokio::test]
async fn warnings_of_every_kind_come_out() {
    let Ending::Done(success) = report(SYNTHETIC.call(sync("warn"), World::refuses()).await).ending else { panic!("not done") };
    let what: Vec<_> = success.warnings.iter().map(|w| w.what).collect();
    assert_eq!(what, [Remark::SeveralMatches, Remark::DroppedField, Remark::Shortened, Remark::RequiredUnmapped, Remark::NotConfirmed]);
    assert_eq!((success.change, success.standing), (Change::Gone, Standing::KeptOptedOut));
}

#[tokio::test]
async fn log_lines_keep_their_level_and_lose_their_tricks() {
    let (engine, digest) = SYNTHETIC.get().await;
    let lines = Lines::new();
    report(call_logged(&engine, &digest, sync("log"), lines.clone()).await);
    let expected = [(LogLevel::Debug, "d"), (LogLevel::Info, "i"), (LogLevel::Warn, "w\\nforged"), (LogLevel::Error, "\\u{1b}[31me")];
    assert_eq!(lines.all(), expected.map(|(level, text)| (level, text.to_owned())));
}

#[tokio::test]
async fn a_guest_sees_the_whole_person() {
    let mut job = job("echo");
    job.all = vec!["A".into(), "Ü".into()];
    job.who = Person {
        email: "x+y@example.com".into(),
        previous_email: Some("old@example.com".into()),
        first: Some("Zoë".into()),
        last: None,
        full: Some("Zoë 李".into()),
        company: Some("Acme".into()),
        approved_at: 1_790_000_000,
        consent: Some(Consent { at: 5, source: "form".into(), ip: Some("2001:db8::1".into()) }),
        fields: vec![
            Field { key: "a".into(), value: Value::Text("t".into()) },
            Field { key: "b".into(), value: Value::Number("1.50".into()) },
            Field { key: "c".into(), value: Value::Truth(true) },
            Field { key: "d".into(), value: Value::Date("2026-11-23".into()) },
        ],
    };
    let mut many = job.clone();
    many.who.fields = vec![Field { key: "e".into(), value: Value::Many(vec!["m".into(), "n".into()]) }];
    let Error::Permanent(told) = failure(SYNTHETIC.call(Invocation::SyncContact { job: many }, World::refuses()).await) else {
        panic!("no echo")
    };
    assert!(told.text.contains("Many([\"m\", \"n\"])"), "{}", told.text);
    let Error::Permanent(told) = failure(SYNTHETIC.call(Invocation::SyncContact { job }, World::refuses()).await) else {
        panic!("no echo")
    };
    // The text is cut at 500 characters, so the parts are looked for in what fits.
    let parts = [
        "x+y@example.com",
        "Some(\"old@example.com\")",
        "Some(\"Zoë\")",
        "last: None",
        "Zoë 李",
        "1790000000",
        "at: 5",
        "2001:db8::1",
        "Text(\"t\")",
        "Number(\"1.50\")",
        "Truth(true)",
        "Date(\"2026-11-23\")",
    ];
    for part in parts {
        assert!(told.text.contains(part), "{part} is not in {}", told.text);
    }
}

#[tokio::test]
async fn untag_takes_off_what_it_is_told_and_keeps_the_rest() {
    let known = Known { contact_id: Some("77".into()), tags: vec!["A".into(), "B".into()], memo: None };
    let job = Job { known, clear: vec!["A".into()], ..job("well") };
    let world = World::new(vendor);
    let report = report(SYNTHETIC.call(Invocation::UntagContact { job }, world.clone()).await);
    assert_eq!(report.known.tags, ["B"]);
    assert_eq!(world.asked()[0].path, [Pair::new("id", "77"), Pair::new("tag", "A")]);
}

#[tokio::test]
async fn lookup_tells_found_from_absent() {
    let ask = |email: &str| Invocation::LookupContact {
        on: connection("well"),
        who: Person { email: email.into(), ..Person::default() },
        known: Known { memo: Some("m".into()), ..Known::default() },
    };
    let seen = SYNTHETIC.call(ask("ann@example.com"), World::says("id=5\nopted=out")).await;
    let expected = Seen {
        known: Known { contact_id: Some("5".into()), tags: vec![], memo: Some("m".into()) },
        standing: Standing::KeptOptedOut,
        in_destination: Some(true),
    };
    assert_eq!(seen, Ok(Answer::Seen(Ok(Some(expected)))));
    assert_eq!(SYNTHETIC.call(ask("nobody@example.com"), World::refuses()).await, Ok(Answer::Seen(Ok(None))));
}

#[tokio::test]
async fn an_empty_sync_makes_no_call_and_one_call_makes_one() {
    for (behave, calls) in [("idle", 0), ("one-call", 1)] {
        let world = World::new(vendor);
        report(SYNTHETIC.call(sync(behave), world.clone()).await);
        assert_eq!(world.asked().len(), calls);
    }
}

#[tokio::test]
async fn invariant_2_the_guest_imports_the_world_and_nothing_else() {
    let (engine, digest) = SYNTHETIC.get().await;
    assert_eq!(engine.manifest(&digest).map(|m| m.connector.slug.clone()).as_deref(), Some("synthetic"));
    let component = crm_guests::guest("synthetic");
    let imports: Vec<String> = wasmparser::Parser::new(0)
        .parse_all(&component)
        .filter_map(|payload| match payload {
            Ok(wasmparser::Payload::ComponentImportSection(section)) => Some(section),
            _ => None,
        })
        .flatten()
        .filter_map(Result::ok)
        // Types are names and no power.
        .filter(|import| !matches!(import.ty, wasmparser::ComponentTypeRef::Type(_)) && !import.name.name.contains("/types@"))
        .map(|import| import.name.name.to_owned())
        .collect();
    assert_eq!(imports, ["rekomi:crm-connector/egress@0.1.0", "rekomi:crm-connector/log@0.1.0"]);
}
