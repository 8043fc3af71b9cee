//! Every request that the fixtures expect, against the vendor's own description of its API.

use std::collections::BTreeMap;

use anyhow::{Error, Result, ensure};
use crm_catalog::model::WitnessKind;
use crm_conformance::Folder;
use crm_witnesses::description::{Description, Operation, Place, canaries};
use crm_witnesses::ours::{self, Ours};
use crm_witnesses::verdict::{Heard, judge, named};
use crm_witnesses::{places, sent::Sent};

/// Of every connector that names a description: its files are `<slug>.json`, `<slug>-<part>.json`.
#[test]
fn every_vendors_description_accepts_what_we_send() {
    let mut wrong = Vec::new();
    for folder in ours::folders().unwrap() {
        if folder.manifest.witnesses.iter().any(|witness| witness.kind == WitnessKind::Description) {
            wrong.extend(described(&folder).err().map(|error| format!("{}:\n{error:#}", folder.slug)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// An operation that was used, with the first request that it accepted.
struct Used<'d> {
    description: &'d Description,
    place: Place,
    operation: Operation,
    good: Option<Sent>,
}

fn described(folder: &Folder) -> Result<()> {
    let slug = &folder.slug;
    let witness = named(&folder.manifest, WitnessKind::Description).map_err(Error::msg)?;
    let files = places::descriptions(slug);
    if files.is_empty() {
        places::skipped(slug, "its description is not on this machine (CRM_SPECS_DIR)");
        return Ok(());
    }
    let descriptions: Vec<Description> = files.iter().map(|file| Description::open(file)).collect::<Result<_>>()?;
    for Description { name, version, .. } in &descriptions {
        ensure!(witness.name.contains(version), "{}: {name} is of version {version:?}", witness.name);
    }

    let (mut heard, mut used) = (Heard::default(), BTreeMap::<String, Used<'_>>::new());
    let all = ours::requests(folder)?;
    ensure!(!all.is_empty(), "the fixtures expect no request");
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
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
