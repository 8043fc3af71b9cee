//! What tests of imports do again and again. The world runs no workers: tests say when imports are worked on.

use anyhow::Context as _;
use axum::body::Body;
use crm_contract::spool::Spool as _;
use http::{Method, Request};
use serde_json::Value;

use crate::{Answer, World};

impl World {
    /// Sends a file as Ann.
    pub async fn upload(&self, query: &str, kind: &str, body: Body) -> anyhow::Result<Answer> {
        let request = Request::post(format!("/v1/imports?{query}"));
        let request = request.header("authorization", format!("Bearer {}", self.ann.key)).header("content-type", kind);
        self.send(request.body(body)?).await
    }

    /// Sends a file as Ann and checks it; answers its id.
    pub async fn checked(&self, query: &str, file: &str) -> anyhow::Result<String> {
        let answer = self.upload(query, "text/csv", Body::from(file.to_owned())).await?;
        let id = answer.json()["id"].as_str().with_context(|| format!("{} {}", answer.status, answer.text))?.to_owned();
        self.settle().await?;
        Ok(id)
    }

    /// Sends a file as Ann and imports it; answers the import at its end.
    pub async fn import(&self, query: &str, file: &str) -> anyhow::Result<Value> {
        let id = self.checked(query, file).await?;
        self.start(&id).await?;
        self.get(&format!("/v1/imports/{id}")).await
    }

    /// Starts an import that was checked, and works until it ends.
    pub async fn start(&self, id: &str) -> anyhow::Result<()> {
        let answer = self.ann(Method::POST, &format!("/v1/imports/{id}/start"), Value::Null).await?;
        anyhow::ensure!(answer.status == 202, "{} {}", answer.status, answer.text);
        self.settle().await
    }

    /// Works on imports until nothing is left to do.
    pub async fn settle(&self) -> anyhow::Result<()> {
        Ok(crm_sync::worker::imports::settle(&self.ctx).await?)
    }

    /// Lets tasks run that a request which broke off left behind.
    pub async fn at_rest(&self) {
        // Uploads clear up on tasks of their own; the time only bounds a wait that would never end.
        let began = std::time::Instant::now();
        while began.elapsed() < std::time::Duration::from_secs(20) {
            let open = self.spool.list().await.map_or(0, |files| files.len());
            let kept = self.get("/v1/imports").await.map_or(0, |page| page["data"].as_array().map_or(0, Vec::len));
            if open == 0 && kept == 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// What Ann gets there, as JSON.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.ann(Method::GET, path, Value::Null).await?;
        anyhow::ensure!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.text);
        Ok(answer.json())
    }

    /// The lines of an import's results, without the first: row, result, affiliate, column, message.
    pub async fn rows(&self, id: &str) -> anyhow::Result<Vec<[String; 5]>> {
        let answer = self.ann(Method::GET, &format!("/v1/imports/{id}/results"), Value::Null).await?;
        anyhow::ensure!(answer.header("content-type") == "text/csv; charset=utf-8", "{}", answer.text);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(answer.text.as_bytes());
        let mut rows = Vec::new();
        for record in reader.records() {
            let cells: Vec<String> = record?.iter().map(str::to_owned).collect();
            rows.push(cells.try_into().map_err(|cells| anyhow::anyhow!("not five cells: {cells:?}"))?);
        }
        anyhow::ensure!(!rows.is_empty(), "not even a heading");
        let heading: [String; 5] = rows.remove(0);
        anyhow::ensure!(heading == ["row", "result", "affiliate", "column", "message"], "{heading:?}");
        Ok(rows)
    }

    /// Names of the files that are kept.
    pub async fn files(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.spool.list().await?.into_iter().map(|file| file.name.as_str().to_owned()).collect())
    }
}
