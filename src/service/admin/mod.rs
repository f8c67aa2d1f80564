//! The admin port: the state of the service, to be looked into by people. It changes nothing, and its
//! answers name accounts and cards: it listens on the loopback address unless it is told otherwise.
//! What was asked for is never logged, and counted by the form of its path alone.

mod body;
mod page;
mod problem;

use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

use axum::{
    Json, Router,
    extract::{MatchedPath, Path, Query, Request, State},
    http::header,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use super::{
    Instruments,
    desk::{Answer, NoAnswer, PartitionLook, Question},
};
use crate::{
    cases::case::Status, config::Settings, io::clock::Clock, metrics, wire::record::partition_of,
};
use body::{AccountBody, CasesBody, PartitionsBody, RulesetBody};
use problem::Problem;

/// The description of all this, for programs.
const OPENAPI: &str = include_str!("openapi.json");
/// Keys and cases named in one answer.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1000;
/// Outputs named in one answer.
const OUTPUTS: usize = 20;

/// What questions are answered from.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where the loop is asked.
    pub instruments: Arc<Instruments>,
    /// What decides.
    pub settings: Arc<Settings>,
    /// The name of this instance.
    pub instance: String,
    /// How many partitions the input has, once that is known.
    pub partitions: Arc<OnceLock<u32>>,
}

/// Serves until the program ends.
pub async fn serve(listener: TcpListener, admin: Admin) {
    if let Err(error) = axum::serve(listener, pages(admin)).await {
        tracing::error!(%error, "the admin port is not served any more");
    }
}

/// All pages.
pub fn pages(admin: Admin) -> Router {
    let json = [(header::CONTENT_TYPE, "application/json")];
    Router::new()
        .route("/v1/accounts/{id}", get(account))
        .route("/v1/cards/{id}", get(card))
        .route("/v1/cases", get(cases))
        .route("/v1/ruleset", get(ruleset))
        .route("/v1/partitions", get(partitions))
        .route("/openapi.json", get(async move || (json, OPENAPI)))
        .route("/", get(async || page::html(OPENAPI)))
        .fallback(async || Problem::no_such_page())
        .method_not_allowed_fallback(async || Problem::only_get())
        .layer(middleware::from_fn_with_state(admin.clone(), counted))
        .with_state(admin)
}

/// Counts questions, and times them.
async fn counted(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let clock = Clock::new();
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let path = metrics::PATHS.into_iter().find(|path| Some(*path) == matched.as_deref());
    let mut response = next.run(request).await;
    let metrics = &admin.instruments.metrics;
    let labels = [path.unwrap_or("other"), response.status().as_str()].map(str::to_owned);
    metrics.count(&metrics::ADMIN_REQUESTS, &labels.each_ref().map(String::as_str));
    metrics.of(&metrics::ADMIN_TIME).observe(clock.seconds());
    // What is told of a customer is to be kept by nobody on the way.
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct OfAccount {
    limit: Option<usize>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct OfCard {
    account: Option<String>,
    limit: Option<usize>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct OfCases {
    state: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

type Asked<T> = Result<Query<T>, axum::extract::rejection::QueryRejection>;
type Named = Result<Path<String>, axum::extract::rejection::PathRejection>;
type Answered<T> = Result<Json<T>, Problem>;

fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(LIMIT) {
        limit if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        limit => Err(Problem::bad(format!("limit is {limit}, and may be 1 to {LIMIT_MAX}"))),
    }
}

async fn account(
    State(admin): State<Admin>,
    account: Named,
    query: Asked<OfAccount>,
) -> Answered<AccountBody> {
    let Path(account) = account.map_err(|rejection| Problem::path(&rejection))?;
    let most = limit(query.map_err(Problem::query)?.limit)?;
    admin.look(account, None, most).await.map(Json)
}

async fn card(
    State(admin): State<Admin>,
    card: Named,
    query: Asked<OfCard>,
) -> Answered<AccountBody> {
    let Path(card) = card.map_err(|rejection| Problem::path(&rejection))?;
    let Query(OfCard { account, limit: most }) = query.map_err(Problem::query)?;
    let most = limit(most)?;
    let account = match account {
        Some(account) => account,
        None => admin.account_of(&card).await?,
    };
    admin.look(account, Some(card), most).await.map(Json)
}

async fn cases(State(admin): State<Admin>, query: Asked<OfCases>) -> Answered<CasesBody> {
    let Query(OfCases { state, limit: most, after }) = query.map_err(Problem::query)?;
    let most = limit(most)?;
    let status = match state {
        None => Status::ALIVE.to_vec(),
        Some(name) => vec![body::alive_named(&name).ok_or_else(|| Problem::no_status(&name))?],
    };
    let after = match after {
        None => None,
        Some(text) => Some(body::read_cursor(&text).ok_or_else(Problem::cursor)?),
    };
    match admin.ask(Question::Cases { status, after, most }).await? {
        Answer::Cases(found) => Ok(Json(CasesBody::new(&found, most, &admin.settings.ruleset))),
        _ => Err(Problem::silent()),
    }
}

async fn ruleset(State(admin): State<Admin>) -> Json<RulesetBody> {
    Json(RulesetBody::new(&admin.settings.ruleset))
}

async fn partitions(State(admin): State<Admin>) -> Answered<PartitionsBody> {
    let partitions = admin.ask_partitions().await?;
    let count = admin.partitions.get().copied();
    Ok(Json(PartitionsBody::new(&admin.instance, count, &partitions)))
}

impl Admin {
    fn ask(&self, question: Question) -> impl Future<Output = Result<Answer, Problem>> {
        let Instruments { desk, health, .. } = &*self.instruments;
        async {
            if !health.has_started() {
                return Err(Problem::silent());
            }
            desk.ask(question).await.map_err(|none| match none {
                NoAnswer::Full => Problem::full(),
                NoAnswer::Silent => Problem::silent(),
            })
        }
    }

    async fn ask_partitions(&self) -> Result<Vec<PartitionLook>, Problem> {
        match self.ask(Question::Partitions).await? {
            Answer::Partitions(partitions) => Ok(partitions),
            _ => Err(Problem::silent()),
        }
    }

    /// The account of a card: as the newest output has it that names the card, else as counters do.
    async fn account_of(&self, card: &str) -> Result<String, Problem> {
        if let Some(account) = self.instruments.recent.account_of(&body::naming_card(card)) {
            return Ok(account);
        }
        match self.ask(Question::AccountOf { card: card.to_owned() }).await? {
            Answer::AccountOf(found) => found.ok_or_else(Problem::card_of_no_account),
            _ => Err(Problem::silent()),
        }
    }

    async fn look(
        &self,
        account: String,
        card: Option<String>,
        most: usize,
    ) -> Result<AccountBody, Problem> {
        let question = Question::Account { account: account.clone(), card: card.clone(), most };
        let Answer::Account(found) = self.ask(question).await? else {
            return Err(Problem::silent());
        };
        let Some((partition, look)) = found else { return Err(self.why_not(&account).await) };
        let holding = card.as_deref().map(body::naming_card).unwrap_or_default();
        let outputs = self.instruments.recent.of_account(&account, &holding, OUTPUTS);
        let ruleset = &self.settings.ruleset;
        Ok(AccountBody::new(account, card, partition, &look, outputs, ruleset))
    }

    /// Why nothing is known of an account.
    async fn why_not(&self, account: &str) -> Problem {
        let (Some(count), Ok(here)) = (self.partitions.get(), self.ask_partitions().await) else {
            return Problem::silent();
        };
        let partition = partition_of(account, *count);
        match here.iter().find(|one| one.number == partition).map(|one| one.state) {
            Some("deciding") => Problem::unknown(partition),
            Some(_) => Problem::restoring(partition),
            None => Problem::elsewhere(partition),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(self)).into_response()
    }
}
