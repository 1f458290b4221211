//! `get_call_graph` and `get_control_flow_graph`: as lists of nodes and edges,
//! or in the languages of Mermaid and Graphviz.

use reversecore_analysis::Warnings;
use reversecore_analysis::disassemble::Disassembler;
use reversecore_code::{CallGraph, CallGraphOptions, Direction, FlowGraph, Language};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::listing::instructions_of;
use super::models::Model;
use super::question::{Question, Reply, Said, no_such};
use super::{answer, ask};
use crate::bounded::{Bounded, Timeout};
use crate::embedded::Trouble;
use crate::embedded::present::{Tree, outline};
use crate::error::ToolError;
use crate::schedule::{Workload, estimates};
use crate::schema::{self, List};
use crate::tool::{Answer, Call, Tool};

/// Edges for each node of a call graph, at most.
const EDGES_PER_NODE: usize = 20;
/// Instructions that are shown of a graph.
const MOST_INSTRUCTIONS: usize = 20_000;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(in crate::tools) struct GetCallGraph;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(in crate::tools) struct GetFlowGraph;

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Mermaid,
    Dot,
}

impl Format {
    fn language(self) -> Option<Language> {
        match self {
            Self::Json => None,
            Self::Mermaid => Some(Language::Mermaid),
            Self::Dot => Some(Language::Dot),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Way {
    #[default]
    Callees,
    Callers,
    Both,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct CallParams {
    /// Path in the workspace.
    file_path: String,
    /// Name or address of the function in the middle (default: the whole program).
    #[serde(default)]
    function: Option<String>,
    /// Which calls to follow from there.
    #[serde(default)]
    direction: Way,
    /// How many calls away.
    #[serde(default = "three")]
    depth: Bounded<1, 64>,
    /// Most functions.
    #[serde(default = "hundred")]
    limit: Bounded<1, 5000>,
    /// A list, or a language for graphs.
    #[serde(default)]
    render: Format,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<300>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct FlowParams {
    /// Path in the workspace.
    file_path: String,
    /// Name or address of the function.
    function: String,
    /// Most basic blocks.
    #[serde(default = "hundred")]
    limit: Bounded<1, 5000>,
    /// Show the instructions of each block.
    #[serde(default)]
    instructions: bool,
    /// A list, or a language for graphs.
    #[serde(default)]
    render: Format,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<300>,
}

/// What a worker is asked about calls.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Calls {
    function: Option<String>,
    direction: Direction,
    depth: u32,
    limit: usize,
}

/// What a worker is asked about a function.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Flow {
    function: String,
    limit: usize,
    instructions: bool,
}

/// What it says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Flowing {
    graph: FlowGraph,
    /// The instructions of each block, in lines, where they were asked for.
    text: Vec<String>,
    complexity: u32,
}

impl Calls {
    pub(super) fn answer(self, model: &Model) -> Result<CallGraph, Trouble> {
        let program = &model.program;
        let root = self.function.as_deref().map(|name| program.find(name));
        let root = root
            .transpose()
            .map_err(|error| no_such("function", &error))?;
        Ok(program.call_graph(
            root,
            &CallGraphOptions {
                direction: self.direction,
                depth: self.depth,
                most_nodes: self.limit,
                most_edges: self.limit.saturating_mul(EDGES_PER_NODE),
            },
        ))
    }
}

impl Flow {
    pub(super) fn answer(
        self,
        model: &Model,
        bytes: &[u8],
        warnings: &mut Warnings,
    ) -> Result<Flowing, Trouble> {
        let program = &model.program;
        let function = program
            .find(&self.function)
            .map_err(|error| no_such("function", &error))?;
        let graph = program.flow_graph(function, self.limit);
        let mut text = Vec::new();
        if self.instructions {
            let code = Disassembler::new(bytes, Some(&model.image));
            let mut left = MOST_INSTRUCTIONS;
            for block in &graph.blocks {
                let listed = instructions_of(&code, function, block.address, block.size, warnings);
                let lines: Vec<String> = listed
                    .iter()
                    .take(left)
                    .map(|one| format!("{:#x} {} {}", one.address, one.mnemonic, one.operands))
                    .collect();
                left -= lines.len();
                text.push(lines.join("\n"));
            }
        }
        Ok(Flowing {
            graph,
            text,
            complexity: function.complexity,
        })
    }
}

/// The members of the report.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct CallShape {
    nodes: List,
    edges: List,
    truncated: bool,
    graph: String,
}

impl Tool for GetCallGraph {
    type Params = CallParams;
    type Report = Tree;

    const NAME: &'static str = "get_call_graph";
    const TITLE: &'static str = "Get a call graph";
    const DESCRIPTION: &'static str = "Who calls whom, around a function (`direction`, `depth`) or in the whole program, imports included: as nodes and edges, or as Mermaid or DOT text.";

    fn report_schema() -> Value {
        schema::report::<CallShape>()
    }

    fn workload(params: &CallParams) -> Workload<'_> {
        Workload::on(&params.file_path, estimates::CODE, params.timeout)
    }

    async fn run(&self, call: &Call<'_>, params: CallParams) -> Result<Answer<Tree>, ToolError> {
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let question = Question::CallGraph(Calls {
            function: params.function,
            direction: match params.direction {
                Way::Callees => Direction::Callees,
                Way::Callers => Direction::Callers,
                Way::Both => Direction::Both,
            },
            depth: u32::try_from(params.depth.get()).unwrap_or(u32::MAX),
            limit: params.limit.count(),
        });
        let Said {
            reply,
            known,
            warnings,
        } = ask(call, &params.file_path, timeout, question).await?;
        let Reply::CallGraph(graph) = reply else {
            return Err(crate::embedded::misbehaved("another reply than asked for"));
        };
        let drawn = params
            .render
            .language()
            .map(|language| graph.render(language));
        let tree = match drawn {
            Some(drawing) => drawn_as(drawing),
            None => Tree::new(&graph, calls_text),
        };
        let mut answer = answer(tree, &known, warnings);
        answer.total = Some(graph.nodes.len() as u64);
        if graph.truncated {
            answer.truncate();
            answer.warnings.push(
                "there is more of the graph: raise `limit`, or ask around one function".to_owned(),
            );
        }
        Ok(answer)
    }
}

/// The members of the report.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct FlowShape {
    name: String,
    function: u64,
    complexity: u32,
    blocks: List,
    edges: List,
    instructions: Vec<Vec<String>>,
    graph: String,
}

impl Tool for GetFlowGraph {
    type Params = FlowParams;
    type Report = Tree;

    const NAME: &'static str = "get_control_flow_graph";
    const TITLE: &'static str = "Get a control flow graph";
    const DESCRIPTION: &'static str = "The basic blocks of a function and how control goes from one to the other (taken, not taken, jump, switch, …), with cyclomatic complexity: as nodes and edges, or as Mermaid or DOT text; `instructions` shows the code of each block.";

    fn report_schema() -> Value {
        schema::report::<FlowShape>()
    }

    fn workload(params: &FlowParams) -> Workload<'_> {
        Workload::on(&params.file_path, estimates::CODE, params.timeout)
    }

    async fn run(&self, call: &Call<'_>, params: FlowParams) -> Result<Answer<Tree>, ToolError> {
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let question = Question::FlowGraph(Flow {
            function: params.function,
            limit: params.limit.count(),
            instructions: params.instructions,
        });
        let Said {
            reply,
            known,
            warnings,
        } = ask(call, &params.file_path, timeout, question).await?;
        let Reply::FlowGraph(flowing) = reply else {
            return Err(crate::embedded::misbehaved("another reply than asked for"));
        };
        let Flowing {
            graph,
            text,
            complexity,
        } = flowing;
        let of = |address: u64| {
            let found = graph
                .blocks
                .iter()
                .position(|block| block.address == address);
            let text = found.and_then(|number| text.get(number));
            text.cloned().unwrap_or_default()
        };
        let tree = match params.render.language() {
            Some(language) => drawn_as(graph.render(language, of)),
            None => {
                let report = json!({
                    "name": graph.name, "function": graph.function, "complexity": complexity,
                    "blocks": graph.blocks, "edges": graph.edges, "instructions": text.iter().map(|lines| lines.lines().collect()).collect::<Vec<Vec<_>>>(),
                });
                Tree::new(&report, outline)
            }
        };
        let mut answer = answer(tree, &known, warnings);
        answer.total = Some(graph.blocks.len() as u64);
        if graph.truncated {
            answer.truncate();
            answer
                .warnings
                .push("the function has more blocks: raise `limit`".to_owned());
        }
        Ok(answer)
    }
}

/// A graph in a language is one text, whose own lines stay.
fn drawn_as(drawing: String) -> Tree {
    Tree::verbatim("graph", crate::text::escaped_lines(&drawing))
}

fn calls_text(report: &Value) -> String {
    let nodes = report["nodes"].as_array();
    let name = |number: &Value| {
        let number = usize::try_from(number.as_u64().unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let node = nodes.and_then(|nodes| nodes.get(number));
        node.map_or_else(String::new, |node| {
            let name = node["name"].as_str().unwrap_or_default();
            match node["address"].as_u64() {
                Some(address) => format!("{name} ({address:#x})"),
                None => name.to_owned(),
            }
        })
    };
    let mut text = String::new();
    for edge in report["edges"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "{} -> {}\n",
            name(&edge["caller"]),
            name(&edge["callee"])
        ));
    }
    if text.is_empty() {
        for number in 0..nodes.map_or(0, Vec::len) {
            text.push_str(&format!("{}: no calls\n", name(&number.into())));
        }
    }
    text
}

fn three() -> Bounded<1, 64> {
    Bounded::new(3)
}

fn hundred() -> Bounded<1, 5000> {
    Bounded::new(100)
}
