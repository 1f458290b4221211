//! Functions that never return: those known by name, those whose every path
//! ends in one or in a trap, and those that loop for ever.

use super::Discovery;

impl Discovery<'_, '_, '_> {
    /// Finds functions that never return now that all are explored, and has
    /// their callers explored again.
    pub(super) fn find_endless(&mut self) -> bool {
        let count = self.functions.len();
        // Who jumps to whom, by the one that is jumped to.
        let mut edges: Vec<(u32, u32)> = Vec::new();
        let mut returning = vec![false; count];
        let mut work = Vec::new();
        for (number, draft) in self.functions.iter().enumerate() {
            let mut returns = draft.returns || !draft.explored || draft.blocks.is_empty();
            for &tail in &draft.tails {
                match self.index.get(&tail) {
                    Some(&index) => edges.push((index, number as u32)),
                    // Into the middle of some other function.
                    None => returns = true,
                }
            }
            if returns && !draft.endless {
                work.push(number as u32);
                if let Some(place) = returning.get_mut(number) {
                    *place = true;
                }
            }
        }
        edges.sort_unstable();
        while let Some(index) = work.pop() {
            let from = edges.partition_point(|&(to, _)| to < index);
            for &(_, caller) in edges
                .get(from..)
                .unwrap_or_default()
                .iter()
                .take_while(|&&(to, _)| to == index)
            {
                let endless = self
                    .functions
                    .get(caller as usize)
                    .is_none_or(|draft| draft.endless);
                if let Some(place) = returning.get_mut(caller as usize)
                    && !*place
                    && !endless
                {
                    *place = true;
                    work.push(caller);
                }
            }
        }
        let mut new = Vec::new();
        for (draft, returns) in self.functions.iter_mut().zip(&returning) {
            if !returns && !draft.endless {
                draft.endless = true;
                new.push(draft.entry);
            }
        }
        if new.is_empty() {
            return false;
        }
        new.sort_unstable();
        let calls_new = |calls: &[u64]| calls.iter().any(|call| new.binary_search(call).is_ok());
        let dirty: Vec<u32> = self
            .functions
            .iter()
            .enumerate()
            .filter(|(_, draft)| calls_new(&draft.calls))
            .map(|(number, _)| number as u32)
            .collect();
        self.explore_again(dirty)
    }
}
