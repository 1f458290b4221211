//! What changed between two programs, function by function.
//!
//! Functions are matched in passes, each on what the one before left over: by
//! name, by equal instructions, by the calls of matched functions, and by
//! likeness. Every pass costs about the number of functions times a constant.

use std::collections::HashMap;

use reversecore_analysis::Watch;
use serde::{Deserialize, Serialize};

use crate::function::Function;
use crate::program::{Program, targets};

/// Functions less alike than this are not the same one.
const LEAST_ALIKE: f64 = 0.5;

/// Callers and callees of so many are compared with each other.
const MOST_NEIGHBOURS: usize = 24;

/// A function is compared with so many of about its size.
const WINDOW: usize = 24;

/// So many blocks are compared in all; a comparison of two programs of 20,000
/// functions needs some ten million.
const MOST_WORK: u64 = 400_000_000;

/// So many changed blocks of a function are named.
const MOST_CHANGED_BLOCKS: usize = 64;

/// How two functions were found to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchedBy {
    /// They have the same name.
    Name,
    /// They have the same instructions.
    Instructions,
    /// They are called by, or call, the same functions, and are alike.
    Calls,
    /// They are alike.
    Likeness,
}

/// A function of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Its address.
    pub address: u64,
    /// Its name: text of the file.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A function that changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// In the first program.
    pub old: Side,
    /// In the second one.
    pub new: Side,
    /// How they were matched.
    pub matched_by: MatchedBy,
    /// How much of both is the same, by instructions in equal blocks: 0 to 1.
    pub similarity: f64,
    /// First addresses of blocks of the old one that the new one has not.
    pub old_blocks: Vec<u64>,
    /// First addresses of blocks of the new one that the old one has not.
    pub new_blocks: Vec<u64>,
}

/// The difference of two programs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// How many functions are the same in both.
    pub unchanged: usize,
    /// How many changed, listed or not.
    pub changed_count: usize,
    /// Those that changed, the least alike first.
    pub changed: Vec<Changed>,
    /// How many are new, listed or not.
    pub added_count: usize,
    /// Those that only the second program has.
    pub added: Vec<Side>,
    /// How many are gone, listed or not.
    pub removed_count: usize,
    /// Those that only the first program has.
    pub removed: Vec<Side>,
    /// How much of both programs is the same, by instructions: 0 to 1.
    pub similarity: f64,
    /// A list was cut, or the comparison was ended before it was done.
    pub truncated: bool,
}

/// Compares two programs. Each list has at most `most_items`; `watch` is told
/// how many functions were looked at, and can end the comparison: what was not
/// matched by then counts as removed and added.
pub fn diff(old: &Program, new: &Program, most_items: usize, watch: Watch<'_>) -> Diff {
    let mut matcher = Matcher {
        old: Part::of(old),
        new: Part::of(new),
        pairs: Vec::new(),
        work: 0,
        looked: 0,
        watch,
        ended: false,
    };
    matcher.by_name();
    matcher.by_instructions();
    matcher.by_calls();
    matcher.by_likeness();
    matcher.by_calls();
    matcher.report(most_items)
}

/// One of the programs.
struct Part<'a> {
    program: &'a Program,
    /// The partner of each function.
    partner: Vec<Option<u32>>,
    /// Hashes and instructions of the blocks of each function, sorted.
    blocks: Vec<Vec<(u32, u32)>>,
}

impl<'a> Part<'a> {
    fn of(program: &'a Program) -> Self {
        let blocks = program.functions().iter().map(|function| {
            let mut blocks: Vec<(u32, u32)> = program
                .blocks(function)
                .iter()
                .map(|block| (block.hash, block.instructions))
                .collect();
            blocks.sort_unstable();
            blocks
        });
        Self {
            program,
            partner: vec![None; program.functions().len()],
            blocks: blocks.collect(),
        }
    }

    fn function(&self, number: u32) -> Option<&'a Function> {
        self.program.functions().get(number as usize)
    }

    fn is_free(&self, number: u32) -> bool {
        self.partner
            .get(number as usize)
            .is_some_and(Option::is_none)
    }

    fn free(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.partner.len() as u32).filter(|&number| self.is_free(number))
    }

    fn blocks(&self, number: u32) -> &[(u32, u32)] {
        self.blocks
            .get(number as usize)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    fn side(&self, number: u32) -> Option<Side> {
        let function = self.function(number)?;
        Some(Side {
            address: function.address,
            name: self.program.name(function).into_owned(),
            size: function.size,
        })
    }

    /// Functions that have a key, which no other free one has.
    fn unique<K: std::hash::Hash + Eq>(
        &self,
        key: impl Fn(&'a Function) -> Option<K>,
    ) -> HashMap<K, Option<u32>> {
        let mut found = HashMap::new();
        for number in self.free() {
            if let Some(key) = self.function(number).and_then(&key) {
                found
                    .entry(key)
                    .and_modify(|known| *known = None)
                    .or_insert(Some(number));
            }
        }
        found
    }
}

struct Matcher<'a, 'w> {
    old: Part<'a>,
    new: Part<'a>,
    pairs: Vec<(u32, u32, MatchedBy)>,
    work: u64,
    looked: u64,
    watch: Watch<'w>,
    ended: bool,
}

impl Matcher<'_, '_> {
    fn pair(&mut self, old: u32, new: u32, by: MatchedBy) -> bool {
        if !self.old.is_free(old) || !self.new.is_free(new) {
            return false;
        }
        if let Some(partner) = self.old.partner.get_mut(old as usize) {
            *partner = Some(new);
        }
        if let Some(partner) = self.new.partner.get_mut(new as usize) {
            *partner = Some(old);
        }
        self.pairs.push((old, new, by));
        true
    }

    /// Whether to go on; asks the caller now and then.
    fn goes_on(&mut self) -> bool {
        self.looked = self.looked.saturating_add(1);
        if self.work > MOST_WORK || (self.looked.is_multiple_of(1024) && !(self.watch)(self.looked))
        {
            self.ended = true;
        }
        !self.ended
    }

    fn by_name(&mut self) {
        let name = |function: &Function| function.name.clone();
        let key = |program: &Program| {
            let imports: Vec<String> = program
                .imports()
                .iter()
                .map(|import| import.name.to_string())
                .collect();
            move |function: &Function| {
                name(function).or_else(|| {
                    let import = imports.get(function.import? as usize)?;
                    Some(format!("import {import}").into())
                })
            }
        };
        let old = self.old.unique(key(self.old.program));
        let new = self.new.unique(key(self.new.program));
        self.pair_equal(old, &new, MatchedBy::Name);
    }

    fn by_instructions(&mut self) {
        // Functions of a few instructions are equal by chance.
        let key = |function: &Function| {
            (function.instructions >= 4).then_some((function.hash, function.instructions))
        };
        let old = self.old.unique(key);
        let new = self.new.unique(key);
        self.pair_equal(old, &new, MatchedBy::Instructions);
        // Those that several have: in the order of addresses, where both
        // programs have as many.
        let mut groups: HashMap<u64, (Vec<u32>, Vec<u32>)> = HashMap::new();
        for number in self.old.free() {
            if let Some(function) = self.old.function(number) {
                groups.entry(function.hash).or_default().0.push(number);
            }
        }
        for number in self.new.free() {
            if let Some(function) = self.new.function(number)
                && let Some(group) = groups.get_mut(&function.hash)
            {
                group.1.push(number);
            }
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_unstable();
        for (old, new) in groups {
            if old.len() == new.len() {
                for (old, new) in old.into_iter().zip(new) {
                    self.pair(old, new, MatchedBy::Instructions);
                }
            }
        }
    }

    fn pair_equal<K: std::hash::Hash + Eq>(
        &mut self,
        old: HashMap<K, Option<u32>>,
        new: &HashMap<K, Option<u32>>,
        by: MatchedBy,
    ) {
        let mut pairs: Vec<(u32, u32)> = old
            .into_iter()
            .filter_map(|(key, old)| Some((old?, (*new.get(&key)?)?)))
            .collect();
        pairs.sort_unstable();
        for (old, new) in pairs {
            self.pair(old, new, by);
        }
    }

    /// From each pair to what both call and what calls both.
    fn by_calls(&mut self) {
        let mut at = 0;
        while let Some(&(old, new, _)) = self.pairs.get(at) {
            at += 1;
            if !self.goes_on() {
                return;
            }
            for callers in [false, true] {
                let neighbours = |part: &Part<'_>, number: u32| -> Vec<u32> {
                    let edges = if callers {
                        &part.program.called
                    } else {
                        &part.program.calls
                    };
                    targets(edges, number)
                        .filter(|&other| part.is_free(other))
                        .take(MOST_NEIGHBOURS)
                        .collect()
                };
                let old_ones = neighbours(&self.old, old);
                let new_ones = neighbours(&self.new, new);
                self.pair_alike(&old_ones, &new_ones, MatchedBy::Calls);
            }
        }
    }

    /// Pairs those of two short lists that are most alike.
    fn pair_alike(&mut self, old: &[u32], new: &[u32], by: MatchedBy) {
        let mut alike = Vec::new();
        for &old in old {
            for &new in new {
                let similarity = self.similarity(old, new);
                if similarity >= LEAST_ALIKE {
                    alike.push((similarity, old, new));
                }
            }
        }
        alike.sort_by(|left, right| {
            let order = right.0.total_cmp(&left.0);
            order.then((left.1, left.2).cmp(&(right.1, right.2)))
        });
        for (_, old, new) in alike {
            self.pair(old, new, by);
        }
    }

    /// Pairs of what is left those that are most alike, among functions of
    /// about the same size.
    fn by_likeness(&mut self) {
        let sorted = |part: &Part<'_>| -> Vec<(usize, u32, u32)> {
            let mut free: Vec<_> = part
                .free()
                .filter_map(|number| {
                    let function = part.function(number)?;
                    Some((function.block_count(), function.instructions, number))
                })
                .collect();
            free.sort_unstable();
            free
        };
        let old = sorted(&self.old);
        let new = sorted(&self.new);
        let mut alike = Vec::new();
        for &(blocks, instructions, number) in &old {
            if !self.goes_on() {
                break;
            }
            let near = new.partition_point(|&(other_blocks, other, _)| {
                (other_blocks, other) < (blocks, instructions)
            });
            let first = near.saturating_sub(WINDOW / 2);
            for &(_, _, other) in new.iter().skip(first).take(WINDOW) {
                let similarity = self.similarity(number, other);
                if similarity >= LEAST_ALIKE {
                    alike.push((similarity, number, other));
                }
            }
        }
        alike.sort_by(|left, right| {
            let order = right.0.total_cmp(&left.0);
            order.then((left.1, left.2).cmp(&(right.1, right.2)))
        });
        for (_, old, new) in alike {
            self.pair(old, new, MatchedBy::Likeness);
        }
    }

    /// The share of instructions that stand in equal blocks.
    fn similarity(&mut self, old: u32, new: u32) -> f64 {
        let (old, new) = (self.old.blocks(old), self.new.blocks(new));
        self.work = self.work.saturating_add((old.len() + new.len()) as u64);
        let total: u64 = old
            .iter()
            .chain(new)
            .map(|&(_, count)| u64::from(count))
            .sum();
        if total == 0 {
            return 1.0;
        }
        let (mut left, mut right) = (old.iter().peekable(), new.iter().peekable());
        let mut common = 0_u64;
        while let (Some(&&one), Some(&&other)) = (left.peek(), right.peek()) {
            match one.cmp(&other) {
                std::cmp::Ordering::Equal => {
                    common = common.saturating_add(u64::from(one.1) * 2);
                    left.next();
                    right.next();
                }
                std::cmp::Ordering::Less => {
                    left.next();
                }
                std::cmp::Ordering::Greater => {
                    right.next();
                }
            }
        }
        common as f64 / total as f64
    }

    fn report(mut self, most_items: usize) -> Diff {
        let mut diff = Diff {
            truncated: self.ended,
            ..Diff::default()
        };
        let mut changed = Vec::new();
        let (mut same, mut total) = (0.0, 0.0);
        for (old, new, by) in std::mem::take(&mut self.pairs) {
            let (Some(left), Some(right)) = (self.old.function(old), self.new.function(new)) else {
                continue;
            };
            let size = f64::from(left.instructions) + f64::from(right.instructions);
            total += size;
            if left.hash == right.hash {
                diff.unchanged += 1;
                same += size;
                continue;
            }
            let similarity = self.similarity(old, new);
            same += size * similarity;
            changed.push((similarity, old, new, by));
        }
        changed.sort_by(|left, right| {
            let order = left.0.total_cmp(&right.0);
            order.then((left.1, left.2).cmp(&(right.1, right.2)))
        });
        diff.changed_count = changed.len();
        for (similarity, old, new, matched_by) in changed.into_iter().take(most_items) {
            let (Some(old_side), Some(new_side)) = (self.old.side(old), self.new.side(new)) else {
                continue;
            };
            diff.changed.push(Changed {
                old_blocks: only(&self.old, old, self.new.blocks(new)),
                new_blocks: only(&self.new, new, self.old.blocks(old)),
                old: old_side,
                new: new_side,
                matched_by,
                similarity,
            });
        }
        let left_over = |part: &Part<'_>| -> (usize, Vec<Side>, f64) {
            let numbers: Vec<u32> = part.free().collect();
            let listed = numbers.iter().take(most_items);
            let sides = listed.filter_map(|&number| part.side(number)).collect();
            let instructions = numbers
                .iter()
                .filter_map(|&number| part.function(number))
                .map(|function| f64::from(function.instructions))
                .sum();
            (numbers.len(), sides, instructions)
        };
        let removed;
        let added;
        (diff.removed_count, diff.removed, removed) = left_over(&self.old);
        (diff.added_count, diff.added, added) = left_over(&self.new);
        total += removed + added;
        diff.similarity = if total > 0.0 { same / total } else { 1.0 };
        diff.truncated |= diff.changed_count > diff.changed.len()
            || diff.added_count > diff.added.len()
            || diff.removed_count > diff.removed.len();
        diff
    }
}

/// Blocks of a function that the other one has not.
fn only(part: &Part<'_>, number: u32, other: &[(u32, u32)]) -> Vec<u64> {
    let Some(function) = part.function(number) else {
        return Vec::new();
    };
    part.program
        .blocks(function)
        .iter()
        .filter(|block| {
            other
                .binary_search(&(block.hash, block.instructions))
                .is_err()
        })
        .map(|block| block.start)
        .take(MOST_CHANGED_BLOCKS)
        .collect()
}
