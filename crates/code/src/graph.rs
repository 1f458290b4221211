//! The call graph of a program and the control flow of a function, as plain
//! data: bounded, in the same order every time.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::block::{Block, Exit};
use crate::function::{Function, Kind};
use crate::program::{Program, targets};

/// Which way to follow calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To those that are called.
    Callees,
    /// To those that call.
    Callers,
    /// Both.
    Both,
}

/// How much of the call graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallGraphOptions {
    /// Which way from the root.
    pub direction: Direction,
    /// So many calls from the root.
    pub depth: u32,
    /// At most so many nodes.
    pub most_nodes: usize,
    /// At most so many edges.
    pub most_edges: usize,
}

impl Default for CallGraphOptions {
    fn default() -> Self {
        Self {
            direction: Direction::Callees,
            depth: 3,
            most_nodes: 200,
            most_edges: 2000,
        }
    }
}

/// A node of a call graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallNode {
    /// Its address; the slot of an import without a stub.
    pub address: Option<u64>,
    /// Its name: text of the file.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How many calls it is away from the root; 0 in a whole graph.
    pub depth: u32,
}

/// A call graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallGraph {
    /// Functions and imports.
    pub nodes: Vec<CallNode>,
    /// Who calls whom, by numbers of nodes; each pair once.
    pub edges: Vec<CallEdge>,
    /// A bound other than the depth cut it.
    pub truncated: bool,
}

/// A call, or several, from one function to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallEdge {
    /// Number of the node that calls.
    pub caller: u32,
    /// Number of the node that is called.
    pub callee: u32,
}

/// Why control goes from one block to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowEdgeKind {
    /// The next instruction.
    Fallthrough,
    /// The next instruction, behind a call.
    CallReturn,
    /// The condition holds.
    Taken,
    /// The condition does not hold.
    NotTaken,
    /// A jump.
    Jump,
    /// A case of a switch.
    Switch,
}

/// An edge of a control flow graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowEdge {
    /// First address of the block that is left.
    pub from: u64,
    /// First address of the block that is entered.
    pub to: u64,
    /// Why.
    pub kind: FlowEdgeKind,
}

/// A node of a control flow graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowBlock {
    /// Its first address.
    pub address: u64,
    /// Offset of it in the file.
    pub offset: Option<u64>,
    /// Its size in bytes.
    pub size: u32,
    /// How many instructions it has.
    pub instructions: u32,
    /// How it ends.
    pub exit: Exit,
    /// Where it leaves the function to, when it ends in a jump to another one.
    pub leaves_to: Option<u64>,
}

/// The control flow of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowGraph {
    /// Address of the function.
    pub function: u64,
    /// Its name: text of the file.
    pub name: String,
    /// Blocks by address.
    pub blocks: Vec<FlowBlock>,
    /// Edges by the block that is left.
    pub edges: Vec<FlowEdge>,
    /// More blocks than were asked for.
    pub truncated: bool,
}

impl Program {
    /// Where a block of a function goes on within the function.
    pub(crate) fn successors(&self, blocks: &[Block], block: &Block) -> Vec<(u64, FlowEdgeKind)> {
        let mut next = Vec::new();
        match block.exit {
            Exit::Fall => next.push((block.end(), FlowEdgeKind::Fallthrough)),
            Exit::CallReturn => next.push((block.end(), FlowEdgeKind::CallReturn)),
            Exit::Jump => next.push((block.target, FlowEdgeKind::Jump)),
            Exit::Conditional => {
                next.push((block.target, FlowEdgeKind::Taken));
                next.push((block.end(), FlowEdgeKind::NotTaken));
            }
            Exit::Switch => {
                // The jump is the last instruction of the block.
                let range = block.start..block.end();
                if let Some((_, table)) = self.tables.range(range).next_back() {
                    let targets = table.targets.iter();
                    next.extend(targets.map(|&target| (target, FlowEdgeKind::Switch)));
                }
            }
            Exit::Indirect
            | Exit::TailCall
            | Exit::Return
            | Exit::NoReturn
            | Exit::Halt
            | Exit::Cut => {}
        }
        next.retain(|&(target, _)| {
            blocks
                .binary_search_by_key(&target, |block| block.start)
                .is_ok()
        });
        next
    }

    /// The control flow of a function, with at most so many blocks.
    pub fn flow_graph(&self, function: &Function, most_blocks: usize) -> FlowGraph {
        let all = self.blocks(function);
        let shown = all.get(..most_blocks.min(all.len())).unwrap_or(all);
        let mut edges = Vec::new();
        for block in shown {
            for (to, kind) in self.successors(shown, block) {
                edges.push(FlowEdge {
                    from: block.start,
                    to,
                    kind,
                });
            }
        }
        FlowGraph {
            function: function.address,
            name: self.name(function).into_owned(),
            blocks: shown
                .iter()
                .map(|block| FlowBlock {
                    address: block.start,
                    offset: self.memory_map().offset(block.start),
                    size: block.size,
                    instructions: block.instructions,
                    exit: block.exit,
                    leaves_to: (block.exit == Exit::TailCall && block.target != 0)
                        .then_some(block.target),
                })
                .collect(),
            edges,
            truncated: shown.len() < all.len(),
        }
    }

    /// The call graph around a function, or the whole one.
    pub fn call_graph(&self, root: Option<&Function>, options: &CallGraphOptions) -> CallGraph {
        let CallGraphOptions {
            direction,
            depth,
            most_nodes,
            most_edges,
        } = *options;
        let mut numbers: BTreeMap<u32, u32> = BTreeMap::new();
        let mut nodes = Vec::new();
        let mut queue = VecDeque::new();
        let mut truncated = false;
        let mut add = |number: u32, depth: u32, queue: &mut VecDeque<(u32, u32)>| {
            if numbers.contains_key(&number) {
                return;
            }
            if nodes.len() >= most_nodes {
                truncated = true;
                return;
            }
            if let Some(node) = self.node(number, depth) {
                numbers.insert(number, nodes.len() as u32);
                nodes.push(node);
                queue.push_back((number, depth));
            }
        };
        match root.and_then(|root| self.number_at(root.address)) {
            Some(root) => {
                add(root, 0, &mut queue);
                while let Some((number, level)) = queue.pop_front() {
                    if level >= depth {
                        continue;
                    }
                    if direction != Direction::Callers {
                        for callee in targets(&self.calls, number) {
                            add(callee, level.saturating_add(1), &mut queue);
                        }
                    }
                    if direction != Direction::Callees {
                        for caller in targets(&self.called, number) {
                            add(caller, level.saturating_add(1), &mut queue);
                        }
                    }
                }
            }
            None => {
                for number in 0..self.functions().len() as u32 {
                    add(number, 0, &mut queue);
                }
                for &(_, callee) in &self.calls {
                    if callee as usize >= self.functions().len() {
                        add(callee, 0, &mut queue);
                    }
                }
            }
        }
        let mut edges = Vec::new();
        'all: for (&number, &caller) in &numbers {
            for callee in targets(&self.calls, number) {
                if let Some(&callee) = numbers.get(&callee) {
                    if edges.len() >= most_edges {
                        truncated = true;
                        break 'all;
                    }
                    edges.push(CallEdge { caller, callee });
                }
            }
        }
        CallGraph {
            nodes,
            edges,
            truncated,
        }
    }

    fn node(&self, number: u32, depth: u32) -> Option<CallNode> {
        if let Some(function) = self.functions().get(number as usize) {
            return Some(CallNode {
                address: Some(function.address),
                name: self.name(function).into_owned(),
                kind: function.kind,
                depth,
            });
        }
        let import = (number as usize).checked_sub(self.functions().len())?;
        let import = self.imports().get(import)?;
        Some(CallNode {
            address: import.slot,
            name: import.name.to_string(),
            kind: Kind::Import,
            depth,
        })
    }
}
