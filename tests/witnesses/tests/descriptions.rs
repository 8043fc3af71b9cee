//! Every request that the fixtures expect, against the vendor's own description of its API.

use std::collections::BTreeMap;

use crm_catalog::model::WitnessKind;
use crm_witnesses::description::{Description, Operation, Place, canaries};
use crm_witnesses::ours::{self, Ours};
use crm_witnesses::verdict::{Heard, judge, named};
use crm_witnesses::{places, sent::Sent};

#[test]
fn mailchimps_description_accepts_what_we_send() {
    described("mailchimp", &["mailchimp.json"]);
}

#[test]
fn klaviyos_description_accepts_what_we_send() {
    described("klaviyo", &["klaviyo.json"]);
}

#[test]
fn sendgrids_descriptions_accept_what_we_send() {
    described("sendgrid", &["sendgrid-marketing-contacts.json", "sendgrid-marketing-lists.json"]);
}

/// An operation that was used, with the first request that it accepted.
struct Used<'d> {
    description: &'d Description,
    place: Place,
    operation: Operation,
    good: Option<Sent>,
}

fn described(slug: &str, files: &[&str]) {
    let dir = places::specs();
    if let Some(absent) = files.iter().find(|file| !dir.join(file).exists()) {
        return places::skipped(slug, &format!("{absent} is not on this machine (CRM_SPECS_DIR)"));
    }
    let folder = ours::folder(slug).unwrap();
    let witness = named(&folder.manifest, WitnessKind::Description).unwrap();
    let descriptions: Vec<Description> = files.iter().map(|file| Description::open(&dir.join(file)).unwrap()).collect();
    for description in &descriptions {
        assert!(
            witness.name.contains(&description.version),
            "{}: {} is of version {:?}",
            witness.name,
            description.name,
            description.version
        );
    }

    let (mut heard, mut used) = (Heard::default(), BTreeMap::<String, Used<'_>>::new());
    let all = ours::requests(&folder).unwrap();
    assert!(!all.is_empty(), "{slug}: the fixtures expect no request");
    for Ours { call, fixture, sent } in all {
        let found = descriptions.iter().find_map(|description| Some((description, description.find(&sent.method, &sent.path)?)));
        let Some((description, place)) = found else {
            heard.differs(&call, "route", format!("{} {} is not described ({fixture})", sent.method, sent.path));
            continue;
        };
        let entry = used.entry(format!("{} {} {}", description.name, place.method, place.template));
        let entry = entry.or_insert_with(|| {
            let operation = description.operation(&place).unwrap();
            Used { description, place: place.clone(), operation, good: None }
        });
        let faults = entry.operation.faults(&sent, &place.values);
        if faults.is_empty() && entry.good.is_none() {
            entry.good = Some(sent);
            entry.place = place;
        }
        for fault in faults {
            heard.differs(&call, &fault.place, format!("{} ({fixture})", fault.what));
        }
        heard.calls.insert(call);
    }
    let mut wrong = judge(witness, &heard);
    for Used { description, place, operation, good } in used.values() {
        let Some(good) = good else {
            wrong.push(format!("{}: no request was accepted", operation.name));
            continue;
        };
        let flock = canaries(description, operation, place, good);
        let sang = flock.iter().filter(|canary| !canary.refused);
        wrong.extend(sang.map(|canary| format!("{}: accepts a broken request: {}", operation.name, canary.what)));
    }
    assert!(wrong.is_empty(), "{slug}:\n{}", wrong.join("\n"));
}
