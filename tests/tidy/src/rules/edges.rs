//! Cargo's edges between the rooms, from `cargo metadata`: the first and strongest fence.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Node, PackageId};

use super::edges_table::{CONNECTOR, ROOMS, Room};
use crate::Finding;

const RULE: &str = "edges";

/// Names of crates, and by name which crates each uses outside of its tests.
struct Graph {
    ours: BTreeSet<String>,
    uses: BTreeMap<String, BTreeSet<String>>,
}

pub(crate) fn check(root: &Path) -> Result<Vec<Finding>> {
    let metadata = MetadataCommand::new().manifest_path(root.join("Cargo.toml")).exec().context("cargo metadata failed")?;
    Ok(judge(&graph(&metadata)?))
}

fn graph(metadata: &Metadata) -> Result<Graph> {
    let names: HashMap<&PackageId, &str> = metadata.packages.iter().map(|p| (&p.id, p.name.as_str())).collect();
    let resolve = metadata.resolve.as_ref().context("cargo metadata without a resolution")?;
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in &resolve.nodes {
        let Some(name) = names.get(&node.id) else { continue };
        // Two versions of one crate become one node: that can only find more.
        uses.entry((*name).to_owned()).or_default().extend(normal(node, &names));
    }
    let ours = metadata.workspace_members.iter().filter_map(|id| names.get(id)).map(|name| (*name).to_owned()).collect();
    Ok(Graph { ours, uses })
}

fn normal(node: &Node, names: &HashMap<&PackageId, &str>) -> Vec<String> {
    let kept = node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
    kept.filter_map(|dep| names.get(&dep.pkg)).map(|name| (*name).to_owned()).collect()
}

fn judge(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in &graph.ours {
        let room = if name.starts_with("connector-") { Some(&CONNECTOR) } else { ROOMS.iter().find(|room| room.name == name.as_str()) };
        if let Some(room) = room {
            judge_room(graph, name, room, &mut findings);
        }
    }
    findings
}

fn judge_room(graph: &Graph, name: &str, room: &Room, findings: &mut Vec<Finding>) {
    let mut find = |say: String| findings.push(Finding { path: "Cargo.toml".into(), line: 0, rule: RULE, say });
    let direct = graph.uses.get(name).cloned().unwrap_or_default();
    for used in &direct {
        if used != name && graph.ours.contains(used) && !room.may.contains(&used.as_str()) {
            find(format!("{name} may not depend on {used}: see the table of rooms in tests/tidy"));
        }
        if room.not_directly.contains(&used.as_str()) {
            find(format!("{name} may not name {used} itself"));
        }
    }
    for forbidden in room.never {
        if let Some(way) = way(graph, name, forbidden) {
            find(format!("{name} may not reach {forbidden}: {}", way.join(" -> ")));
        }
    }
}

/// A shortest way from one crate to another.
fn way(graph: &Graph, from: &str, to: &str) -> Option<Vec<String>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut front = vec![from];
    while !front.is_empty() {
        let mut next = Vec::new();
        for name in front {
            for used in graph.uses.get(name).into_iter().flatten() {
                if used != from && !came_from.contains_key(used.as_str()) {
                    came_from.insert(used, name);
                    next.push(used.as_str());
                }
            }
        }
        if came_from.contains_key(to) {
            break;
        }
        front = next;
    }
    let mut way = vec![to];
    while let Some(before) = came_from.get(way.last()?) {
        way.push(before);
    }
    way.reverse();
    (way.len() > 1).then(|| way.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(ours: &[&str], edges: &[(&str, &str)]) -> Graph {
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in edges {
            uses.entry((*from).into()).or_default().insert((*to).into());
        }
        Graph { ours: ours.iter().map(|n| (*n).to_owned()).collect(), uses }
    }

    fn said(graph: &Graph) -> Vec<String> {
        judge(graph).into_iter().map(|f| f.say).collect()
    }

    #[test]
    fn a_forbidden_crate_is_found_however_far_away() {
        let graph = graph(&["crm-sync", "crm-store"], &[("crm-sync", "crm-store"), ("crm-store", "x"), ("x", "reqwest")]);
        let said = said(&graph);
        assert!(said.contains(&"crm-sync may not reach reqwest: crm-sync -> crm-store -> x -> reqwest".to_owned()), "{said:?}");
    }

    #[test]
    fn sled_may_stand_behind_the_store_but_not_be_named() {
        let behind = graph(&["crm-sync", "crm-store"], &[("crm-sync", "crm-store"), ("crm-store", "sled")]);
        assert!(said(&behind).is_empty());
        assert_eq!(said(&graph(&["crm-sync"], &[("crm-sync", "sled")])), ["crm-sync may not name sled itself"]);
    }

    #[test]
    fn rooms_and_connectors_keep_to_their_table() {
        assert_eq!(said(&graph(&["crm-engine", "crm-store"], &[("crm-engine", "crm-store")])).len(), 1);
        assert_eq!(said(&graph(&["connector-a", "connector-b"], &[("connector-a", "connector-b")])).len(), 1);
        assert!(said(&graph(&["connector-a", "crm-connector-sdk"], &[("connector-a", "crm-connector-sdk")])).is_empty());
    }

    #[test]
    fn a_circle_ends() {
        assert!(way(&graph(&[], &[("a", "b"), ("b", "a")]), "a", "c").is_none());
    }
}
