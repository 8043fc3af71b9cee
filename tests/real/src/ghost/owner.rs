//! The site's owner, who signs in with a password as a browser does: prepares the site, and says afterwards what is there.
//! Shares no code and no key with the connector.

use anyhow::{Context, Result, ensure};
use crm_test_support::{Answer, Client};
use serde_json::{Value, json};

use super::Ghost;

const EMAIL: &str = "owner@example.com";
const PASSWORD: &str = "Quiet-Harbour-1907";
/// Most that Ghost gives at once.
const PAGE: usize = 100;

pub struct Owner {
    client: Client,
    origin: String,
    cookie: String,
}

/// A member as Ghost tells it.
#[derive(Clone, Debug)]
pub struct Member {
    pub id: String,
    pub email: String,
    pub name: String,
    pub labels: Vec<String>,
    /// By name.
    pub newsletters: Vec<String>,
}

impl Owner {
    /// Sets the new site up and signs in.
    pub fn set_up(ghost: &Ghost, title: &str) -> Result<Self> {
        let mut owner = Self { client: ghost.client(), origin: ghost.url.clone(), cookie: String::new() };
        let setup = json!({ "setup": [{ "name": "Olga Owner", "email": EMAIL, "password": PASSWORD, "blogTitle": title }] });
        owner.send("POST", "/authentication/setup/", Some(&setup))?.good().context("setting the site up")?;
        let answer = owner.send("POST", "/session/", Some(&json!({ "username": EMAIL, "password": PASSWORD })))?;
        answer.good().context("signing in")?;
        answer.header("set-cookie").split(';').next().unwrap_or_default().clone_into(&mut owner.cookie);
        Ok(owner)
    }

    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut headers = vec![("origin", self.origin.as_str()), ("content-type", "application/json")];
        if !self.cookie.is_empty() {
            headers.push(("cookie", &self.cookie));
        }
        self.client.send(method, path, &headers, body.map(Value::to_string).as_deref())
    }

    fn made(&self, method: &str, path: &str, kind: &str, thing: Value) -> Result<Value> {
        let body = json!({ kind: [thing] });
        Ok(self.send(method, path, Some(&body))?.good().with_context(|| format!("{method} {path} {body}"))?[kind][0].clone())
    }

    /// Adds a custom integration; its Admin API key.
    pub fn admin_key(&self, name: &str) -> Result<String> {
        let made = self.made("POST", "/integrations/?include=api_keys", "integrations", json!({ "name": name }))?;
        let keys = made["api_keys"].as_array().context("the integration has no keys")?;
        let admin = keys.iter().find(|key| key["type"] == "admin").context("the integration has no Admin API key")?;
        Ok(admin["secret"].as_str().context("the key has no text")?.to_owned())
    }

    /// Adds a newsletter that people who sign up do not get by themselves; its id.
    pub fn add_newsletter(&self, name: &str) -> Result<String> {
        let made = self.made("POST", "/newsletters/", "newsletters", json!({ "name": name, "subscribe_on_signup": false }))?;
        Ok(made["id"].as_str().context("the newsletter has no id")?.to_owned())
    }

    /// The id of a newsletter.
    pub fn newsletter(&self, name: &str) -> Result<String> {
        let rows = self.rows("/newsletters/?order=sort_order%20asc", "newsletters")?;
        rows.iter().find(|row| row["name"] == name).map(|row| text(row, "id")).with_context(|| format!("no newsletter {name}"))
    }

    pub fn add_member(&self, member: Value) -> Result<Value> {
        self.made("POST", "/members/", "members", member)
    }

    pub fn change_member(&self, id: &str, change: Value) -> Result<Value> {
        self.made("PUT", &format!("/members/{id}/"), "members", change)
    }

    /// Every member there is, by Ghost's own count.
    pub fn members(&self) -> Result<Vec<Member>> {
        let rows = self.rows("/members/?include=labels,newsletters&order=created_at%20asc", "members")?;
        Ok(rows.iter().map(Member::of).collect())
    }

    /// Every label's name.
    pub fn labels(&self) -> Result<Vec<String>> {
        Ok(self.rows("/labels/?order=name%20asc", "labels")?.iter().map(|label| text(label, "name")).collect())
    }

    fn rows(&self, path: &str, kind: &str) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        for page in 1.. {
            let answer = self.send("GET", &format!("{path}&limit={PAGE}&page={page}"), None)?.good().with_context(|| path.to_owned())?;
            rows.extend(answer[kind].as_array().context("no rows")?.iter().cloned());
            let pagination = &answer["meta"]["pagination"];
            if pagination["next"].is_null() {
                ensure!(pagination["total"] == rows.len(), "{path}: {} rows, yet {pagination}", rows.len());
                break;
            }
        }
        Ok(rows)
    }

    /// Every time one of these members was put into a newsletter or taken out, from Ghost's own record: (member's id, in or out).
    pub fn newsletter_events(&self, ids: &[&str]) -> Result<Vec<(String, bool)>> {
        let mut events = Vec::new();
        // The record has no pages, so few members are asked for at a time.
        for some in ids.chunks(20) {
            let filter = format!("type:newsletter_event%2Bdata.member_id:[{}]", some.join(","));
            let answer = self.send("GET", &format!("/members/events/?filter={filter}&limit={PAGE}"), None)?.good()?;
            let rows = answer["events"].as_array().context("no events")?;
            ensure!(answer["meta"]["pagination"]["total"] == rows.len(), "too many events to be read at once");
            events.extend(rows.iter().map(|row| (text(&row["data"], "member_id"), row["data"]["subscribed"] == true)));
        }
        Ok(events)
    }
}

impl Member {
    fn of(row: &Value) -> Self {
        let names = |kind: &str| row[kind].as_array().into_iter().flatten().map(|one| text(one, "name")).collect();
        Self {
            id: text(row, "id"),
            email: text(row, "email"),
            name: text(row, "name"),
            labels: names("labels"),
            newsletters: names("newsletters"),
        }
    }
}

fn text(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_default().to_owned()
}
