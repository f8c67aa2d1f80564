//! Metrics and health over HTTP.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Instruments, health::Obstacle};

/// Takes a port; `key` is the section of the configuration that names it.
///
/// # Errors
/// It is in use, or not this machine's.
pub async fn listen(address: SocketAddr, key: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        format!("{address} cannot be listened at: {error} ([{key}] listen = \"ADDRESS:PORT\")")
    })
}

/// Serves metrics and health until the program ends.
pub async fn serve(listener: TcpListener, instruments: Arc<Instruments>) {
    let pages = Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .route("/startupz", get(started))
        .with_state(instruments);
    if let Err(error) = axum::serve(listener, pages).await {
        tracing::error!(%error, "metrics and health are not served any more");
    }
}

async fn metrics(State(instruments): State<Arc<Instruments>>) -> impl IntoResponse {
    let there = instruments.health.obstacles();
    let names: Vec<&str> = there.iter().map(|(obstacle, _)| obstacle.name()).collect();
    instruments.metrics.show_obstacles(&names);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], instruments.metrics.text())
}

/// A status, and what stands in the way of a better one.
fn answer(good: &str, bad: &str, reasons: &[(&str, String)]) -> (StatusCode, Json<Value>) {
    if reasons.is_empty() {
        return (StatusCode::OK, Json(json!({ "status": good })));
    }
    let reason = |(name, why): &(&str, String)| json!({ "reason": name, "detail": why });
    let reasons: Vec<Value> = reasons.iter().map(reason).collect();
    let body = json!({ "status": bad, "reasons": reasons });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body))
}

async fn alive(State(instruments): State<Arc<Instruments>>) -> (StatusCode, Json<Value>) {
    let silent = instruments.health.silent_seconds();
    let silent = silent.map(|seconds| {
        ("silent", format!("the scoring loop has not gone on for {seconds} s: start it again"))
    });
    answer("alive", "stuck", &Vec::from_iter(silent))
}

fn obstacles(instruments: &Instruments) -> Vec<(&'static str, String)> {
    let there = instruments.health.obstacles();
    there.into_iter().map(|(obstacle, why)| (obstacle.name(), why)).collect()
}

async fn ready(State(instruments): State<Arc<Instruments>>) -> (StatusCode, Json<Value>) {
    answer("ready", "not ready", &obstacles(&instruments))
}

async fn started(State(instruments): State<Arc<Instruments>>) -> (StatusCode, Json<Value>) {
    let reasons = match instruments.health.has_started() {
        true => Vec::new(),
        false => obstacles(&instruments),
    };
    answer("started", Obstacle::Starting.name(), &reasons)
}
