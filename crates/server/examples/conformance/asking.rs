//! Fixtures that ask before they answer, in the manner of 2026-07-28: the result
//! says what is wanted, and the call comes again with it. What has been reached goes to
//! the client and back as a signed state.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use rmcp::model::{
    ClientCapabilities, ErrorData, InputRequests, InputRequiredResult, InputResponses,
};
use serde_json::{Map, Value, json};

use crate::typed;

/// What a tool asks for: rounds of questions, each with the key of its answer.
#[derive(Debug)]
pub(crate) struct Questions {
    rounds: &'static [&'static [(&'static str, Question)]],
    /// Whether the state goes along.
    state: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Question {
    /// A form with one field, of this name and type.
    Form(&'static str, &'static str),
    Sampling,
    Roots,
}

/// The tool whose questions depend on what the client can answer.
pub(crate) const BY_CAPABILITY: &str = "test_input_required_result_capabilities";

const NAME: Question = Question::Form("name", "string");
const EVERYTHING: &[(&str, Question)] = &[
    ("user_name", NAME),
    ("greeting", Question::Sampling),
    ("client_roots", Question::Roots),
];

/// All of them, prompts included.
pub(crate) const ALL: [(&str, Questions); 11] = [
    plain(
        "test_input_required_result_elicitation",
        &[&[("user_name", NAME)]],
    ),
    plain(
        "test_input_required_result_sampling",
        &[&[("capital_question", Question::Sampling)]],
    ),
    plain(
        "test_input_required_result_list_roots",
        &[&[("client_roots", Question::Roots)]],
    ),
    plain(BY_CAPABILITY, &[EVERYTHING]),
    plain(
        "test_streaming_elicitation",
        &[&[("value", Question::Form("value", "string"))]],
    ),
    plain(crate::tasks::AFTER_ASKING, &[&[("user_name", NAME)]]),
    plain(
        "test_input_required_result_prompt",
        &[&[("user_context", Question::Form("context", "string"))]],
    ),
    signed(
        "test_input_required_result_request_state",
        &[&[("confirm", Question::Form("ok", "boolean"))]],
    ),
    signed(
        "test_input_required_result_tampered_state",
        &[&[("confirm", Question::Form("ok", "boolean"))]],
    ),
    signed("test_input_required_result_multiple_inputs", &[EVERYTHING]),
    signed(
        "test_input_required_result_multi_round",
        &[
            &[("step1", NAME)],
            &[("step2", Question::Form("color", "string"))],
        ],
    ),
];

type Rounds = &'static [&'static [(&'static str, Question)]];

const fn plain(name: &'static str, rounds: Rounds) -> (&'static str, Questions) {
    (
        name,
        Questions {
            rounds,
            state: false,
        },
    )
}

const fn signed(name: &'static str, rounds: Rounds) -> (&'static str, Questions) {
    (
        name,
        Questions {
            rounds,
            state: true,
        },
    )
}

/// The tool or prompt of this name, if it is one that asks.
pub(crate) fn of(name: &str) -> Option<&'static (&'static str, Questions)> {
    ALL.iter().find(|(asking, _)| *asking == name)
}

/// What a call that asks has come to.
pub(crate) enum Reached {
    /// This is still to be asked.
    Asks(InputRequiredResult),
    /// All is known.
    Knows(InputResponses),
}

/// How far a call has got.
pub(crate) fn reached(
    name: &str,
    questions: &Questions,
    responses: Option<InputResponses>,
    state: Option<&str>,
    capabilities: &ClientCapabilities,
    key: &hmac::Key,
) -> Result<Reached, ErrorData> {
    let round = state.map_or(Ok(0), |state| verified(state, key))?;
    let asked = questions.rounds.get(round).ok_or_else(tampered)?;
    let responses = responses.unwrap_or_default();
    let answered = |wanted: &[(&str, Question)]| {
        let mut keys = wanted.iter().map(|(key, _)| *key);
        keys.all(|key| responses.get(key).is_some_and(Value::is_object))
    };
    let of_client: Vec<_> = asked
        .iter()
        .copied()
        .filter(|(_, question)| name != BY_CAPABILITY || question.suits(capabilities))
        .collect();
    let (next, wanted) = if !answered(&of_client) {
        (round, of_client)
    } else if let Some(following) = questions.rounds.get(round + 1) {
        (round + 1, following.to_vec())
    } else {
        return Ok(Reached::Knows(responses));
    };
    let requests: Map<String, Value> = wanted
        .into_iter()
        .map(|(key, question)| (key.to_owned(), question.request()))
        .collect();
    let requests: InputRequests = typed(Value::Object(requests));
    let state = questions.state.then(|| sealed(next, key));
    Ok(Reached::Asks(InputRequiredResult::new(
        Some(requests),
        state,
    )))
}

impl Question {
    fn suits(self, capabilities: &ClientCapabilities) -> bool {
        let declared = serde_json::to_value(capabilities).unwrap_or_default();
        let wanted = match self {
            Self::Form(..) => "elicitation",
            Self::Sampling => "sampling",
            Self::Roots => "roots",
        };
        declared.get(wanted).is_some()
    }

    pub(crate) fn request(self) -> Value {
        match self {
            Self::Form(field, kind) => json!({"method": "elicitation/create", "params": {
                "mode": "form",
                "message": format!("Please say the {field}."),
                "requestedSchema": {
                    "type": "object", "properties": {field: {"type": kind}}, "required": [field],
                },
            }}),
            Self::Sampling => json!({"method": "sampling/createMessage", "params": {
                "messages": [{"role": "user", "content": {"type": "text", "text": "What is the capital of France?"}}],
                "maxTokens": 100,
            }}),
            Self::Roots => json!({"method": "roots/list"}),
        }
    }
}

fn sealed(round: usize, key: &hmac::Key) -> String {
    let tag = hmac::sign(key, round.to_string().as_bytes());
    format!("{round}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn verified(state: &str, key: &hmac::Key) -> Result<usize, ErrorData> {
    let open = || {
        let (round, tag) = state.split_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(key, round.as_bytes(), &tag).ok()?;
        round.parse().ok()
    };
    open().ok_or_else(tampered)
}

fn tampered() -> ErrorData {
    ErrorData::invalid_params("`requestState` is not what this server has sent", None)
}
