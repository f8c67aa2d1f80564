//! What an account has to do with cases: found by its name once an event, by its number from then
//! on. An account with nothing is forgotten, and its number given to another one.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::BuildHasher,
    ops,
};

use smallvec::SmallVec;

use crate::{event::Path, window::Hasher};

use super::{
    grace::Grace,
    index::Index,
    life::Target,
    member::{AccountNumber, CaseNumber, MemberNumber},
};

/// One account.
#[derive(Debug, Default)]
pub struct Account {
    name: SmallVec<[u8; 16]>,
    /// Its cases, in the order of their opening.
    pub cases: SmallVec<[CaseNumber; 2]>,
    /// How many of its authorizations are pending,
    pub pending: u32,
    /// and how many are remembered.
    pub members: u32,
    rare: Option<Box<Rare>>,
}

/// What few accounts have.
#[derive(Debug, Default)]
pub struct Rare {
    /// Of the cases alive, those that are about more than one event.
    targets: BTreeMap<Target, CaseNumber>,
    /// The lists of fields of these targets, and how many have each.
    shapes: Vec<(Vec<Path>, usize)>,
    /// Rules that are quiet for a while.
    pub graces: Vec<Grace>,
    /// Authorizations that a case yet to come may link.
    pub log: BTreeSet<MemberNumber>,
}

impl Account {
    /// `account_id`
    pub fn name(&self) -> &str {
        str::from_utf8(&self.name).unwrap_or_default()
    }

    /// What few accounts have, if it has any of it.
    #[inline]
    pub fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    /// What few accounts have, if it has any of it.
    pub fn known_rare(&mut self) -> Option<&mut Rare> {
        self.rare.as_deref_mut()
    }

    /// What few accounts have, for some of it to be added.
    pub fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The case that is alive on a target.
    pub fn on(&self, target: &Target) -> Option<CaseNumber> {
        self.rare()?.targets.get(target).copied()
    }

    /// The case that is alive on the target of each shape.
    pub fn on_each(&self, target: impl Fn(&[Path]) -> Target) -> impl Iterator<Item = CaseNumber> {
        let shapes = self.rare().into_iter().flat_map(|rare| &rare.shapes);
        shapes.filter_map(move |(fields, _)| self.on(&target(fields)))
    }

    fn is_empty(&self) -> bool {
        let graces = self.rare().map_or(0, |rare| rare.graces.len());
        self.cases.is_empty() && self.members == 0 && graces == 0
    }
}

impl Rare {
    /// A case on this target is alive.
    pub fn suspend(&mut self, target: &Target, number: CaseNumber) {
        self.targets.insert(target.clone(), number);
        let fields = target.fields();
        match self.shapes.iter_mut().find(|(known, _)| known.iter().eq(fields.clone())) {
            Some((_, count)) => *count += 1,
            None => self.shapes.push((fields.cloned().collect(), 1)),
        }
    }

    /// A case on this target is alive no more.
    pub fn free(&mut self, target: &Target, number: CaseNumber) {
        if self.targets.get(target) != Some(&number) {
            return;
        }
        self.targets.remove(target);
        let shape = |(fields, _): &(Vec<Path>, usize)| fields.iter().eq(target.fields());
        if let Some(at) = self.shapes.iter().position(shape) {
            self.shapes[at].1 -= 1;
            if self.shapes[at].1 == 0 {
                self.shapes.swap_remove(at);
            }
        }
    }
}

/// All accounts that have to do with cases.
#[derive(Debug, Default)]
pub struct Accounts {
    accounts: Vec<Account>,
    /// Numbers that no account has; the one given back last is given out first.
    free: Vec<AccountNumber>,
    index: Index<AccountNumber>,
    hasher: Hasher,
}

/// The names of accounts as plain data.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct AccountsState {
    /// By their numbers; empty where no account has one.
    pub names: Vec<Box<str>>,
    /// Numbers that no account has, in the order in which they were given back.
    pub free: Vec<AccountNumber>,
}

impl Accounts {
    /// The account of this name.
    #[inline]
    pub fn find(&self, name: &str) -> Option<AccountNumber> {
        if self.accounts.len() == self.free.len() {
            return None;
        }
        let is_it = |number| self[number].name[..] == *name.as_bytes();
        self.index.find(self.hasher.hash_one(name.as_bytes()), is_it)
    }

    /// The account of this name. It is made if there is none.
    pub fn find_or_add(&mut self, name: &str) -> AccountNumber {
        if let Some(number) = self.find(name) {
            return number;
        }
        let account = Account { name: name.as_bytes().into(), ..Account::default() };
        let number = match self.free.pop() {
            Some(number) => {
                self[number] = account;
                number
            }
            None => {
                self.accounts.push(account);
                (self.accounts.len() - 1) as AccountNumber
            }
        };
        self.index(number);
        number
    }

    fn index(&mut self, number: AccountNumber) {
        self.index.insert(self.hasher.hash_one(&self[number].name[..]), number);
    }

    /// Forgets an account that has nothing.
    pub fn tidy(&mut self, number: AccountNumber) {
        if self[number].is_empty() {
            self.index.remove(self.hasher.hash_one(&self[number].name[..]), number);
            self[number] = Account::default();
            self.free.push(number);
        }
    }

    /// All accounts, and the places of some that are gone.
    pub fn iter(&self) -> impl Iterator<Item = (AccountNumber, &Account)> {
        (0..).zip(&self.accounts)
    }

    /// Their names as plain data.
    pub fn snapshot(&self) -> AccountsState {
        let names = self.accounts.iter().map(|account| account.name().into()).collect();
        AccountsState { names, free: self.free.clone() }
    }

    /// Accounts of these names, with nothing yet.
    pub fn restore(state: AccountsState) -> Accounts {
        let account =
            |name: Box<str>| Account { name: name.as_bytes().into(), ..Account::default() };
        let accounts = state.names.into_iter().map(account).collect();
        let mut accounts = Accounts { accounts, free: state.free, ..Accounts::default() };
        for number in 0..accounts.accounts.len() as AccountNumber {
            if !accounts[number].name.is_empty() {
                accounts.index(number);
            }
        }
        accounts
    }
}

impl ops::Index<AccountNumber> for Accounts {
    type Output = Account;

    #[inline]
    fn index(&self, number: AccountNumber) -> &Account {
        &self.accounts[number as usize]
    }
}

impl ops::IndexMut<AccountNumber> for Accounts {
    #[inline]
    fn index_mut(&mut self, number: AccountNumber) -> &mut Account {
        &mut self.accounts[number as usize]
    }
}
