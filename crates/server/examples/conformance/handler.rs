//! The real handler with the fixtures beside it: what is no fixture is the real
//! handler's.

#![expect(deprecated, reason = "the suite exercises what 2026-07-28 has removed")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reversecore_server::{Handler, Served};
use ring::hmac;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams,
    CompleteResult, CompletionInfo, ErrorData, GetPromptRequestParams, GetPromptResponse,
    GetTaskParams, GetTaskResult, InputResponses, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, Reference, ServerConfig, SetLevelRequestParams, SubscribeRequestParams,
    SubscriptionFilter, Tool, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{RequestContext, SubscriptionContext, SubscriptionSink};
use rmcp::{RoleServer, ServerHandler};
use serde_json::json;

use crate::asking::{self, Questions, Reached};
use crate::tasks::{self, Tasks};
use crate::{contents, tools, typed};

type Context = RequestContext<RoleServer>;

/// The handler.
#[derive(Debug, Clone)]
pub(crate) struct Fixtures {
    core: Handler,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Signs the states that go to the client and back.
    key: hmac::Key,
    // A std mutex: held for map operations only, never across an await.
    subscriptions: Mutex<HashMap<u64, SubscriptionSink>>,
    tasks: Tasks,
    numbers: AtomicU64,
}

impl Fixtures {
    pub(crate) fn new(core: Handler) -> Self {
        let random = ring::rand::SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random);
        let shared = Shared {
            key: key.expect("the system has random bytes"),
            subscriptions: Mutex::default(),
            tasks: Tasks::default(),
            numbers: AtomicU64::default(),
        };
        Self {
            core,
            shared: Arc::new(shared),
        }
    }

    /// How far something that asks has got, with what the client has said.
    fn reached(
        &self,
        (name, questions): &(&str, Questions),
        said: Option<InputResponses>,
        state: Option<String>,
        context: &Context,
    ) -> Result<Reached, ErrorData> {
        let capabilities = context.client_capabilities().unwrap_or_default();
        asking::reached(
            name,
            questions,
            said,
            state.as_deref(),
            &capabilities,
            &self.shared.key,
        )
    }

    fn subscriptions(&self) -> MutexGuard<'_, HashMap<u64, SubscriptionSink>> {
        let subscriptions = &self.shared.subscriptions;
        subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody who listens that a list has changed, though it has not.
    async fn announce(&self, tool: &str) {
        let sinks: Vec<SubscriptionSink> = self.subscriptions().values().cloned().collect();
        for sink in sinks {
            // Whoever has not asked for it, or is gone, is not told.
            if tool == "test_trigger_tool_change" {
                sink.notify_tool_list_changed().await.ok();
            } else {
                sink.notify_prompt_list_changed().await.ok();
            }
        }
    }
}

impl Served for Fixtures {
    fn core(&mut self) -> &mut Handler {
        &mut self.core
    }
}

impl ServerHandler for Fixtures {
    fn get_info(&self) -> ServerConfig {
        let mut info = self.core.get_info();
        let mut capabilities = serde_json::to_value(&info.capabilities).unwrap_or_default();
        for (name, more) in [
            ("logging", json!({})),
            ("tools", json!({"listChanged": true})),
            ("prompts", json!({"listChanged": true})),
            ("resources", json!({"listChanged": true, "subscribe": true})),
        ] {
            capabilities[name] = more;
        }
        info.capabilities = typed(capabilities);
        info
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut listed = self.core.list_tools(request, context).await?;
        listed.tools.extend(tools::list());
        listed.tools.extend(tasks::list());
        Ok(listed)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let mut fixtures = tools::list().into_iter().chain(tasks::list());
        let fixture = fixtures.find(|tool| tool.name == name);
        fixture.or_else(|| self.core.get_tool(name))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.as_ref();
        if name.starts_with("test_trigger_") {
            self.announce(name).await;
            return Ok(tools::text("announced"));
        }
        if let Some(asking) = asking::of(name) {
            let (said, state) = (request.input_responses, request.request_state);
            return Ok(match self.reached(asking, said, state, &context)? {
                Reached::Asks(asked) => asked.into(),
                Reached::Knows(known) if name == tasks::AFTER_ASKING => {
                    self.shared.tasks.knowing(json!(known).to_string())
                }
                Reached::Knows(known) => tools::text(&format!("state-ok: {}", json!(known))),
            });
        }
        if let Some(answered) = self.shared.tasks.call(&request, &context).await {
            return answered;
        }
        match tools::call(&request, &context).await {
            Some(answered) => answered,
            None => self.core.call_tool(request, context).await,
        }
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        let mut listed = self.core.list_prompts(request, context).await?;
        listed.prompts.extend(contents::prompts());
        Ok(listed)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        if let Some(asking) = asking::of(&request.name) {
            let (said, state) = (request.input_responses, request.request_state);
            return Ok(match self.reached(asking, said, state, &context)? {
                Reached::Asks(asked) => asked.into(),
                Reached::Knows(known) => {
                    let text = format!("What was said: {}", json!(known));
                    contents::answered(vec![json!({"type": "text", "text": text})])
                }
            });
        }
        match contents::prompt(&request.name, request.arguments.as_ref()) {
            Some(answered) => answered,
            None => self.core.get_prompt(request, context).await,
        }
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        let mut listed = self.core.list_resources(request, context).await?;
        listed.resources.extend(contents::resources());
        Ok(listed)
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut listed = self.core.list_resource_templates(request, context).await?;
        listed.resource_templates.extend(contents::templates());
        Ok(listed)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        match contents::resource(&request.uri) {
            Some(read) => Ok(read.into()),
            None => self.core.read_resource(request, context).await,
        }
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: Context,
    ) -> Result<CompleteResult, ErrorData> {
        let is_fixture = match &request.r#ref {
            Reference::Prompt(prompt) => prompt.name.starts_with("test_"),
            Reference::Resource(resource) => resource.uri.starts_with("test://"),
            _ => false,
        };
        if !is_fixture {
            return self.core.complete(request, context).await;
        }
        let known = ["paris", "park", "party"].map(ToOwned::to_owned);
        let typed = &request.argument.value;
        let values = known
            .into_iter()
            .filter(|value| value.starts_with(typed))
            .collect();
        let completion = CompletionInfo::new(values);
        completion
            .map(CompleteResult::new)
            .map_err(|error| ErrorData::internal_error(error, None))
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn subscribe(&self, _: SubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let number = self.shared.numbers.fetch_add(1, Ordering::Relaxed);
        self.subscriptions()
            .insert(number, subscription.sink().clone());
        subscription.cancelled().await;
        self.subscriptions().remove(&number);
        Ok(())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: Context,
    ) -> Result<GetTaskResult, ErrorData> {
        match self.shared.tasks.look(&request.task_id) {
            Some(found) => Ok(found),
            None => self.core.get_task(request, context).await,
        }
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        let said = request.input_responses.clone();
        if self.shared.tasks.update(&request.task_id, said) {
            return Ok(());
        }
        self.core.update_task(request, context).await
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        if self.shared.tasks.cancel(&request.task_id) {
            return Ok(());
        }
        self.core.cancel_task(request, context).await
    }
}
