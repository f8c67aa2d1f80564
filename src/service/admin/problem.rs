//! Why there is no answer, as RFC 9457 has it.

use axum::http::StatusCode;

/// A problem. It never repeats an id that was asked for.
#[derive(Debug, serde::Serialize)]
pub struct Problem {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<i32>,
}

impl Problem {
    fn new(
        status: StatusCode,
        r#type: &'static str,
        title: &'static str,
        detail: String,
    ) -> Problem {
        Problem { r#type, title, status: status.as_u16(), detail, partition: None }
    }

    fn of(self, partition: i32) -> Problem {
        Problem { partition: Some(partition), ..self }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(super) fn bad(detail: String) -> Problem {
        let title = "The question cannot be read";
        Problem::new(StatusCode::BAD_REQUEST, "urn:holdfast:problem:bad_question", title, detail)
    }

    pub(super) fn query(rejection: axum::extract::rejection::QueryRejection) -> Problem {
        Problem::bad(format!("{}: see /openapi.json", rejection.body_text()))
    }

    /// What stands in the path is not repeated.
    pub(super) fn path(_: &axum::extract::rejection::PathRejection) -> Problem {
        Problem::bad("the id in the path is not UTF-8 that is percent-encoded".to_owned())
    }

    pub(super) fn no_status(name: &str) -> Problem {
        Problem::bad(format!("state is `{name}`, and may be open, suspended or confirmed"))
    }

    pub(super) fn cursor() -> Problem {
        let detail = "after is none of the `next` that an earlier answer gave";
        Problem::bad(detail.to_owned())
    }

    pub(super) fn no_such_page() -> Problem {
        let detail = "see / for what can be asked".to_owned();
        Problem::new(StatusCode::NOT_FOUND, "urn:holdfast:problem:no_page", "No such page", detail)
    }

    pub(super) fn only_get() -> Problem {
        let title = "Only GET is answered";
        let detail = "nothing can be changed here; `holdfast answer` answers a case".to_owned();
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Problem::new(status, "urn:holdfast:problem:only_get", title, detail)
    }

    pub(super) fn unknown(partition: i32) -> Problem {
        let detail = format!(
            "partition {partition} decides the account, and is decided here: no counter keeps \
             anything of it, and it has no case"
        );
        let title = "Nothing is known of it";
        Problem::new(StatusCode::NOT_FOUND, "urn:holdfast:problem:unknown", title, detail)
            .of(partition)
    }

    pub(super) fn elsewhere(partition: i32) -> Problem {
        let detail = format!(
            "partition {partition} decides the account, and this instance does not have it: ask \
             the instance whose /v1/partitions names it"
        );
        let title = "Another instance decides it";
        Problem::new(StatusCode::NOT_FOUND, "urn:holdfast:problem:not_here", title, detail)
            .of(partition)
    }

    pub(super) fn card_of_no_account() -> Problem {
        let detail = "what is kept of a card is kept with its account; no counter of an account \
                      that is decided here has a key with the card, and none of the last outputs \
                      names it: name the account, ?account=ID, or ask another instance"
            .to_owned();
        let title = "The account of the card is not known here";
        Problem::new(
            StatusCode::NOT_FOUND,
            "urn:holdfast:problem:card_of_no_account",
            title,
            detail,
        )
    }

    pub(super) fn restoring(partition: i32) -> Problem {
        let detail = format!("partition {partition} is not decided yet: see /readyz; ask again");
        let title = "The partition is being restored";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Problem::new(status, "urn:holdfast:problem:restoring", title, detail).of(partition)
    }

    pub(super) fn silent() -> Problem {
        let detail = "the scoring loop is starting or waits for something: see /readyz; ask again";
        let (status, title) = (StatusCode::SERVICE_UNAVAILABLE, "The scoring loop does not answer");
        Problem::new(status, "urn:holdfast:problem:silent", title, detail.to_owned())
    }

    pub(super) fn full() -> Problem {
        let detail = "more questions wait than the scoring loop answers: ask again, less often";
        let (status, title) = (StatusCode::SERVICE_UNAVAILABLE, "Too many questions");
        Problem::new(status, "urn:holdfast:problem:too_many", title, detail.to_owned())
    }
}
