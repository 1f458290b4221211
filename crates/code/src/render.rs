//! Graphs as text: Mermaid and DOT (Graphviz). Names are text of a hostile
//! file; what could end a label or begin a tag is escaped.

use std::fmt::Write as _;

use crate::graph::{CallGraph, FlowEdgeKind, FlowGraph};

/// Longer labels are cut.
const LONGEST_LABEL: usize = 120;

/// A language for graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Mermaid flowcharts.
    Mermaid,
    /// DOT, of Graphviz.
    Dot,
}

/// A node, by its number, with the text that it shows.
type Node = (usize, String);
/// An edge between nodes, with the text that it shows.
type Edge = (usize, usize, &'static str);

impl CallGraph {
    /// The graph in a language.
    pub fn render(&self, language: Language) -> String {
        let nodes = self.nodes.iter().enumerate().map(|(number, node)| {
            let label = match node.address {
                Some(address) => format!("{} {address:#x}", node.name),
                None => node.name.clone(),
            };
            (number, label)
        });
        let edges = self
            .edges
            .iter()
            .map(|edge| (edge.caller as usize, edge.callee as usize, ""));
        render(language, nodes, edges)
    }
}

impl FlowGraph {
    /// The graph in a language. `text` gives the text of the block at an
    /// address: its instructions, perhaps, in lines.
    pub fn render(&self, language: Language, mut text: impl FnMut(u64) -> String) -> String {
        let number = |address: u64| {
            let found = self
                .blocks
                .binary_search_by_key(&address, |block| block.address);
            found.unwrap_or(usize::MAX)
        };
        let nodes: Vec<Node> = self
            .blocks
            .iter()
            .enumerate()
            .map(|(number, block)| {
                let mut label = format!("{:#x}", block.address);
                let text = text(block.address);
                if !text.is_empty() {
                    label.push('\n');
                    label.push_str(&text);
                }
                (number, label)
            })
            .collect();
        let edges = self.edges.iter().map(|edge| {
            let label = match edge.kind {
                FlowEdgeKind::Taken => "taken",
                FlowEdgeKind::NotTaken => "not taken",
                FlowEdgeKind::Switch => "switch",
                FlowEdgeKind::CallReturn => "return",
                FlowEdgeKind::Fallthrough | FlowEdgeKind::Jump => "",
            };
            (number(edge.from), number(edge.to), label)
        });
        render(language, nodes.into_iter(), edges)
    }
}

fn render(
    language: Language,
    nodes: impl Iterator<Item = Node>,
    edges: impl Iterator<Item = Edge>,
) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let result = match language {
        Language::Mermaid => mermaid(&mut out, nodes, edges),
        Language::Dot => dot(&mut out, nodes, edges),
    };
    debug_assert!(result.is_ok());
    out
}

fn mermaid(
    out: &mut String,
    nodes: impl Iterator<Item = Node>,
    edges: impl Iterator<Item = Edge>,
) -> std::fmt::Result {
    writeln!(out, "flowchart TD")?;
    for (number, label) in nodes {
        write!(out, "  n{number}[\"")?;
        for line in label.lines().enumerate() {
            let (index, line) = line;
            if index > 0 {
                out.push_str("<br/>");
            }
            for letter in line.chars().take(LONGEST_LABEL) {
                match letter {
                    'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '_' | '.' | ',' | '+' | '-' => {
                        out.push(letter);
                    }
                    _ if letter.is_control() => out.push('?'),
                    // Mermaid's own way to write any character.
                    _ => write!(out, "#{};", u32::from(letter))?,
                }
            }
        }
        writeln!(out, "\"]")?;
    }
    for (from, to, label) in edges {
        if label.is_empty() {
            writeln!(out, "  n{from} --> n{to}")?;
        } else {
            writeln!(out, "  n{from} -->|{label}| n{to}")?;
        }
    }
    Ok(())
}

fn dot(
    out: &mut String,
    nodes: impl Iterator<Item = Node>,
    edges: impl Iterator<Item = Edge>,
) -> std::fmt::Result {
    writeln!(out, "digraph {{")?;
    writeln!(out, "  node [shape=box, fontname=monospace];")?;
    for (number, label) in nodes {
        write!(out, "  n{number} [label=\"")?;
        for line in label.lines() {
            for letter in line.chars().take(LONGEST_LABEL) {
                match letter {
                    '"' => out.push_str("\\\""),
                    '\\' => out.push_str("\\\\"),
                    // Graphviz reads entities of HTML in labels.
                    '&' => out.push_str("&amp;"),
                    '<' => out.push_str("&lt;"),
                    '>' => out.push_str("&gt;"),
                    _ if letter.is_control() => out.push('?'),
                    _ => out.push(letter),
                }
            }
            out.push_str("\\l");
        }
        writeln!(out, "\"];")?;
    }
    for (from, to, label) in edges {
        if label.is_empty() {
            writeln!(out, "  n{from} -> n{to};")?;
        } else {
            writeln!(out, "  n{from} -> n{to} [label=\"{label}\"];")?;
        }
    }
    writeln!(out, "}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::Kind;
    use crate::graph::{CallEdge, CallNode};

    #[test]
    fn hostile_names_stay_in_their_labels() {
        let graph = CallGraph {
            nodes: vec![CallNode {
                address: Some(0x10),
                name: "a\"]; click <script>\\\u{7} & #35;".to_owned(),
                kind: Kind::Function,
                depth: 0,
            }],
            edges: vec![CallEdge {
                caller: 0,
                callee: 0,
            }],
            truncated: false,
        };
        let mermaid = graph.render(Language::Mermaid);
        assert_eq!(
            mermaid,
            "flowchart TD\n  n0[\"a#34;#93;#59; click #60;script#62;#92;? #38; #35;35#59; 0x10\"]\n  n0 --> n0\n"
        );
        let dot = graph.render(Language::Dot);
        assert!(
            dot.contains("n0 [label=\"a\\\"]; click &lt;script&gt;\\\\? &amp; #35; 0x10\\l\"];"),
            "{dot}"
        );
    }
}
