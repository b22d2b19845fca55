//! The labels of a prompt. Most have one or two, and there are many prompts: a sorted list takes little memory and is copied fast.

use promptory_events::Label;
use serde::{Deserialize, Serialize};

/// Labels in order, each with where it points and where it pointed before it moved last. At most
/// [`LABELS_MAX`](promptory_events::limits::LABELS_MAX).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels(Vec<Pointer>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pointer {
    label: Label,
    to: u32,
    before: Option<u32>,
}

impl Labels {
    /// The number of the version that a label points to.
    #[must_use]
    pub fn get(&self, label: &Label) -> Option<u32> {
        self.find(label).ok().map(|at| self.0[at].to)
    }

    /// Where a label pointed before it moved last, if it pointed anywhere.
    #[must_use]
    pub fn before(&self, label: &Label) -> Option<u32> {
        self.find(label).ok().and_then(|at| self.0[at].before)
    }

    /// The labels, in order, with where they point.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Label, u32)> {
        self.0.iter().map(|pointer| (&pointer.label, pointer.to))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn set(&mut self, label: &Label, to: u32) {
        match self.find(label) {
            Ok(at) => {
                let pointer = &mut self.0[at];
                pointer.before = Some(std::mem::replace(&mut pointer.to, to));
            }
            Err(at) => {
                self.0.reserve_exact(1); // a vector that grows by itself takes room for four
                self.0.insert(at, Pointer { label: label.clone(), to, before: None });
            }
        }
    }

    pub(super) fn remove(&mut self, label: &Label) {
        if let Ok(at) = self.find(label) {
            self.0.remove(at);
        }
    }

    fn find(&self, label: &Label) -> Result<usize, usize> {
        self.0.binary_search_by(|pointer| pointer.label.cmp(label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_knows_where_it_came_from_until_it_is_removed() {
        let [a, b] = ["a", "b"].map(|label| label.parse().unwrap());
        let mut labels = Labels::default();
        labels.set(&b, 1);
        labels.set(&a, 2);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [(&a, 2), (&b, 1)]);
        assert_eq!((labels.get(&b), labels.before(&b)), (Some(1), None));
        labels.set(&b, 3);
        assert_eq!((labels.get(&b), labels.before(&b), labels.len()), (Some(3), Some(1), 2));
        labels.remove(&b);
        labels.set(&b, 4);
        assert_eq!((labels.get(&b), labels.before(&b), labels.is_empty()), (Some(4), None, false));
    }
}
