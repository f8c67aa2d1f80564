//! What is kept of one owner, for people who ask: its keys, and what its counters say now. Nothing
//! here counts, and nothing that is put out depends on it.

use super::*;

impl Store {
    /// The groups whose owners are named by these fields.
    pub fn groups_of(&self, owner: &[Path]) -> Vec<usize> {
        let named =
            |group: &GroupPlan| group.owner.iter().map(|path| &self.plan.paths[*path]).eq(owner);
        (0..self.groups.len()).filter(|at| named(&self.plan.groups[*at])).collect()
    }

    /// By group, the fields that name its owners.
    pub fn owners(&self) -> Vec<Vec<Path>> {
        let path = |at: &usize| self.plan.paths[*at].clone();
        self.plan.groups.iter().map(|group| group.owner.iter().map(path).collect()).collect()
    }

    /// The fields that name the owners of what a counter keeps.
    pub fn owner_of(&self, counter: usize) -> Vec<Path> {
        let list = self.list_of(counter);
        let group = self.plan.groups.iter().position(|group| group.lists.contains(&list));
        group.map(|group| self.owners().swap_remove(group)).unwrap_or_default()
    }

    /// Are the owners of a group accounts?
    pub fn is_of_account(&self, group: usize) -> bool {
        let owner = &self.plan.groups[group].owner;
        matches!(owner[..], [path] if self.plan.paths[path] == Path::Field(Field::AccountId))
    }

    /// The place of the list of key fields that a counter is kept by.
    pub fn list_of(&self, counter: usize) -> usize {
        self.plan.counters[counter].0
    }

    /// The fields of the keys of a list that do not name its owner.
    pub fn rest_of(&self, list: usize) -> Vec<Path> {
        self.plan.lists[list].rest.iter().map(|path| self.plan.paths[*path].clone()).collect()
    }

    /// The lists of a group.
    pub fn lists_of(&self, group: usize) -> &[usize] {
        &self.plan.groups[group].lists
    }

    /// Is anything kept of the owner that an event names, and which keys has it? At most so many,
    /// those with the newest events first where its events are few.
    pub fn keys_of(
        &mut self,
        group: usize,
        owner: &Event<'_>,
        most: usize,
    ) -> Option<Vec<KeyLook>> {
        let Store { plan, groups, name, .. } = self;
        let (of, owners) = (&plan.groups[group], &mut groups[group]);
        let name = name_of(owner, plan, of, name);
        let place = owners.find(owners.hash(name), name)?;
        Some(owners.at(place).keys_of(of, plan, most))
    }

    /// The name of an owner, among those at so many places from one on, that has a key in which this
    /// field is this text; and from where to go on, if there is more.
    pub fn owner_with(
        &mut self,
        group: usize,
        (field, text): (&Path, &str),
        from: usize,
        count: usize,
    ) -> (Option<Vec<u8>>, Option<usize>) {
        let Store { plan, groups, hasher, .. } = self;
        let (of, owners) = (&plan.groups[group], &mut groups[group]);
        let rest = |list: &usize| plan.lists[*list].rest.iter().map(|path| &plan.paths[*path]);
        if !of.lists.iter().any(|list| rest(list).any(|path| path == field)) {
            return (None, None);
        }
        let wanted = Some((Kind::Text, text.as_bytes().to_vec()));
        let names_it = |(list, values): &KeyLook| {
            rest(list).zip(values).any(|(path, value)| path == field && *value == wanted)
        };
        let holds = |owner: &Owner| {
            // Most have no such value at all.
            owner.values.has(Kind::Text, text.as_bytes(), hasher)
                && owner.keys_of(of, plan, usize::MAX).iter().any(names_it)
        };
        let end = from + count;
        (owners.first(from..end, holds), (end < owners.places()).then_some(end))
    }

    /// Reads the counters of a group as an event at this time would that none of them counts: it is of a type
    /// that no counter takes ([`EventType::Tick`](crate::event::EventType::Tick)).
    pub fn read(
        &mut self,
        group: usize,
        event: &Event<'_>,
        time_ms: i64,
        readings: &mut [Option<Reading>],
    ) {
        readings.fill(None);
        self.facts.look(event, &self.plan);
        self.observe_in(group, event, &[], time_ms, 0, true, readings);
    }

    /// What is kept, about, by group of lists: from a sample of the owners, which goes on by so many
    /// with every call.
    pub fn sizes_about(&mut self, some: usize) -> Vec<GroupSize> {
        let Store { plan, groups, .. } = self;
        let both = groups.iter_mut().zip(&plan.groups);
        both.map(|(group, of)| group.size_about(some, of, plan)).collect()
    }
}
