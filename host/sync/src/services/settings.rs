//! Changing a connection: its name, what it picked, its tags and settings. Compare-and-swap by the record's version.

use std::collections::BTreeMap;

use crm_catalog::model::{Manifest, Picker};
use crm_contract::types::{Choice, Pair, find};

use super::connections::{merged, usable};
use super::{ServiceError, Versioned, audit, choices, fields, form, records, releases};
use crate::context::Context;
use crate::domain::{AffiliateStatus, Connection, FieldMapping, FieldSource};

/// What to change; everything absent stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectionChange {
    pub name: Option<String>,
    /// By picker; `None` clears the choice.
    pub picked: BTreeMap<String, Option<String>>,
    pub default_tags: Option<Vec<String>>,
    /// By setting; `None` goes back to the default.
    pub settings: BTreeMap<String, Option<String>>,
    /// By source; `None` maps it no longer.
    pub fields: BTreeMap<FieldSource, Option<String>>,
    /// Leaving a campaign with one of these statuses takes its tags off.
    pub untag_on: Option<Vec<AffiliateStatus>>,
    /// Runs this version (a digest) of the connector; `Some(None)` = the active one.
    pub pinned: Option<Option<String>>,
}

/// At most this many pages are read to find a picked id.
const PAGES: usize = 50;

/// Applies a change. `expect` is the version the caller saw; without it the change goes on top of whatever there is.
pub async fn update(
    context: &Context,
    organization: &str,
    id: &str,
    expect: Option<u64>,
    change: ConnectionChange,
) -> Result<Versioned<Connection>, ServiceError> {
    for _ in 0..records::RACES {
        match try_update(context, organization, id, expect, &change).await {
            // The worker remembers facts in the same record: try again, unless the caller asked for one exact version.
            Err(ServiceError::Changed) if expect.is_none() => {}
            other => return other,
        }
    }
    Err(ServiceError::Changed)
}

async fn try_update(
    context: &Context,
    organization: &str,
    id: &str,
    expect: Option<u64>,
    change: &ConnectionChange,
) -> Result<Versioned<Connection>, ServiceError> {
    let (before, _, manifest) = usable(context, organization, id).await?;
    let mut connection = before.value.clone();
    if let Some(name) = &change.name {
        connection.name = form::line("name", name, 100)?;
    }
    if let Some(tags) = &change.default_tags {
        connection.default_tags = form::check_tags("default_tags", tags, Some(&manifest))?;
    }
    change_settings(&manifest, &mut connection, &change.settings)?;
    if let Some(statuses) = &change.untag_on {
        if statuses.iter().any(|s| matches!(s, AffiliateStatus::Approved | AffiliateStatus::Pending)) {
            return Err(ServiceError::invalid("untag_on", "may hold paused, removed and rejected"));
        }
        connection.untag_on = AffiliateStatus::ALL.into_iter().filter(|s| statuses.contains(s)).collect();
    }
    if let Some(pinned) = &change.pinned {
        if let Some(digest) = pinned
            && !releases::pinnable(context, &connection.connector, digest).await?
        {
            return Err(ServiceError::invalid("pinned", "no version of this connector that may run has this digest"));
        }
        connection.pinned.clone_from(pinned);
    }
    // Before the vendor is asked about the rest.
    records::expected(expect, before.version)?;
    pick_all(context, &manifest, &mut connection, &change.picked, true).await?;
    if !change.fields.is_empty() {
        let kept = connection.fields.iter().filter(|m| !change.fields.contains_key(&m.source)).cloned();
        let wishes = change.fields.iter().filter_map(|(source, target)| Some(FieldMapping { source: *source, target: target.clone()? }));
        let mut mapping: Vec<FieldMapping> = kept.chain(wishes).collect();
        mapping.sort_by_key(|m| m.source);
        connection.fields = fields::checked(context, &manifest, &connection, mapping, false).await?;
    }
    audit::save(context, "connection.updated", expect, before, connection).await
}

/// Picks as a merchant wishes: parents first, so that a dependent choice in the same change is looked up under the new parent. `lock` keeps
/// pickers that cannot change while connected.
pub(super) async fn pick_all(
    context: &Context,
    manifest: &Manifest,
    connection: &mut Connection,
    wishes: &BTreeMap<String, Option<String>>,
    lock: bool,
) -> Result<(), ServiceError> {
    for name in wishes.keys() {
        if manifest.picker(name).is_none() {
            return Err(ServiceError::invalid(format!("picked.{name}"), "this connector has no such picker"));
        }
    }
    for picker in parents_first(manifest) {
        let Some(wanted) = wishes.get(&picker.name) else { continue };
        if !lock && picker.locked {
            let message = format!("{} is one for the whole connection; connect a second time for another one", picker.label);
            return Err(ServiceError::conflict("picker_locked", message));
        }
        pick(context, manifest, connection, picker, wanted.as_deref()).await?;
    }
    Ok(())
}

fn change_settings(
    manifest: &Manifest,
    connection: &mut Connection,
    changes: &BTreeMap<String, Option<String>>,
) -> Result<(), ServiceError> {
    for (name, value) in changes {
        let Some(setting) = manifest.settings.iter().find(|s| &s.name == name) else {
            let why = match manifest.credential(name) {
                Some(_) => "this belongs to the credentials: reverify with all of them to change it",
                None => "this connector has no such setting",
            };
            return Err(ServiceError::invalid(format!("settings.{name}"), why));
        };
        let before = find(&connection.settings, name).map(str::to_owned);
        connection.settings.retain(|pair| &pair.key != name);
        if let Some(value) = value.as_ref().or(setting.default.as_ref()) {
            form::check_setting(setting, value)?;
            connection.settings.push(Pair::new(name.clone(), value.clone()));
        }
        if find(&connection.settings, name) != before.as_deref() {
            // A setting may name what tags are kept in: what was prepared under the old one says nothing about the new one.
            connection.bindings = Vec::new();
            connection.prepared = None;
        }
    }
    Ok(())
}

fn parents_first(manifest: &Manifest) -> Vec<&Picker> {
    let mut order: Vec<&Picker> = Vec::new();
    while order.len() < manifest.pickers.len() {
        let before = order.len();
        for picker in &manifest.pickers {
            let placed = |name: &str| order.iter().any(|p| p.name == name);
            if !placed(&picker.name) && picker.depends_on.as_deref().is_none_or(placed) {
                order.push(picker);
            }
        }
        if order.len() == before {
            // A circle, which the catalog refuses; never loop on it.
            break;
        }
    }
    order
}

async fn pick(
    context: &Context,
    manifest: &Manifest,
    connection: &mut Connection,
    picker: &Picker,
    wanted: Option<&str>,
) -> Result<(), ServiceError> {
    let field = format!("picked.{}", picker.name);
    let current = find(&connection.picked, &picker.name);
    if current == wanted {
        return Ok(());
    }
    if picker.locked && current.is_some() {
        let message = format!("{} cannot change while connected; disconnect and connect anew", picker.label);
        return Err(ServiceError::Conflict { code: "picker_locked", message });
    }
    let chosen = match wanted {
        None if picker.required => return Err(ServiceError::invalid(field, format!("{} is required", picker.label))),
        None => None,
        Some(id) => Some(look_up(context, connection, picker, id).await?),
    };
    // What depended on the old choice goes with it, and so does what was learnt about it.
    let mut gone = vec![picker.name.clone()];
    while let Some(next) =
        manifest.pickers.iter().find(|p| p.depends_on.as_ref().is_some_and(|d| gone.contains(d)) && !gone.contains(&p.name))
    {
        gone.push(next.name.clone());
    }
    connection.picked.retain(|pair| !gone.contains(&pair.key));
    connection.bindings = Vec::new();
    connection.prepared = None;
    connection.facts = connection.account.facts.clone();
    if let Some(choice) = chosen {
        connection.facts = merged(&connection.facts, &choice.facts);
        connection.picked.push(Pair::new(picker.name.clone(), choice.id));
    }
    Ok(())
}

/// The choice with this id: it must exist, and it may bring facts with it.
async fn look_up(context: &Context, connection: &Connection, picker: &Picker, id: &str) -> Result<Choice, ServiceError> {
    let field = format!("picked.{}", picker.name);
    let id = form::line(&field, id, 200)?;
    if picker.typed && picker.r#static.is_empty() {
        return Ok(Choice { id: id.clone(), name: id, detail: None, selectable: true, facts: Vec::new() });
    }
    let mut cursor = None;
    for _ in 0..PAGES {
        let page = choices::page(context, connection, picker, None, cursor).await?;
        if let Some(choice) = page.items.into_iter().find(|c| c.id == id) {
            if !choice.selectable {
                return Err(ServiceError::invalid(field, format!("{} cannot be chosen", choice.name)));
            }
            return Ok(choice);
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Err(ServiceError::invalid(field, format!("{} has no choice {id:?}", picker.label))),
        }
    }
    Err(ServiceError::invalid(field, format!("{id:?} is not among the first {PAGES} pages of {}", picker.label)))
}
