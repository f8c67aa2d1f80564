//! What an account has to do with cases: found by its name once an event, by its number from then
//! on. An account with nothing is forgotten, and its number given to another one.

use std::{hash::BuildHasher, ops};

use smallvec::SmallVec;

use crate::{
    ahead::fetch,
    places::Places,
    stream::{Sink, Source},
    window::Hasher,
};

use super::{
    ascending::Ascending,
    grace::Graces,
    life::Target,
    log::Log,
    member::{AccountNumber, CaseNumber},
    targeted::Targeted,
};

/// One account.
#[derive(Debug, Default)]
pub struct Account {
    name: SmallVec<[u8; 16]>,
    /// Its cases, in the order of their opening.
    pub cases: Ascending,
    /// How many of its authorizations are pending,
    pub pending: u32,
    /// and how many are remembered.
    pub members: u32,
    /// Those that a case yet to come may link.
    pub log: Log,
    rare: Option<Box<Rare>>,
}

/// What few accounts have.
#[derive(Debug, Default)]
pub struct Rare {
    /// Of the cases alive, those that are about more than one event.
    pub alive: Targeted<CaseNumber>,
    /// What they have given.
    pub graces: Graces,
    /// Opened by feedback, which is no authorization by whose name they would be found.
    pub by_feedback: Ascending,
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
        self.rare()?.alive.get(target).copied()
    }

    fn is_empty(&self) -> bool {
        let has_graces = self.rare().is_some_and(|rare| !rare.graces.is_empty());
        self.cases.is_empty() && self.members == 0 && !has_graces
    }
}

/// All accounts that have to do with cases.
#[derive(Debug, Default)]
pub struct Accounts {
    accounts: Vec<Account>,
    /// Numbers that no account has; the one given back last is given out first.
    free: Vec<AccountNumber>,
    index: Places,
    /// Those that have a case alive that is about more than one event. They are few, and every
    /// authorization asks about its account.
    watched: Places,
    hasher: Hasher,
}

/// The names of accounts as plain data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
        self.find_in(&self.index, name)
    }

    /// Has the accounts of these names fetched, as far as a guess finds them. Changes nothing.
    pub fn warm<'n>(&self, names: impl Iterator<Item = &'n str>) {
        let guess = |name: &str| self.index.guess(self.hash(name.as_bytes()));
        let found: SmallVec<[_; 64]> = names.filter_map(guess).collect();
        for account in found.into_iter().map(|number| &self.accounts[number as usize]) {
            // It may lie across two cache lines.
            fetch(account);
            fetch(&account.pending);
        }
    }

    /// The account of this name, if a case alive of it is about more than one event.
    #[inline]
    pub fn find_watched(&self, name: &str) -> Option<AccountNumber> {
        self.find_in(&self.watched, name)
    }

    #[inline]
    fn find_in(&self, index: &Places, name: &str) -> Option<AccountNumber> {
        if index.len() == 0 {
            return None;
        }
        let is_it = |number| self.accounts[number as usize].name[..] == *name.as_bytes();
        index.find(self.hash(name.as_bytes()), is_it).map(|number| number as AccountNumber)
    }

    #[inline]
    fn hash(&self, name: &[u8]) -> u64 {
        hash(&self.hasher, name)
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
        let hash = self.hash(&self[number].name);
        let Accounts { accounts, index, hasher, .. } = self;
        let hash_of = |number| self::hash(hasher, &accounts[number as usize].name);
        index.insert(hash, number.into(), &hash_of);
    }

    /// A case on this target is alive.
    pub fn watch(&mut self, account: AccountNumber, target: &Target, number: CaseNumber) {
        let hash = self.hash(&self[account].name);
        let alive = &mut self[account].rare_mut().alive;
        let is_first = alive.is_empty();
        alive.insert(target, number);
        if is_first {
            let Accounts { accounts, watched, hasher, .. } = self;
            let hash_of = |number| self::hash(hasher, &accounts[number as usize].name);
            watched.insert(hash, account.into(), &hash_of);
        }
    }

    /// A case on this target is alive no more.
    pub fn unwatch(&mut self, account: AccountNumber, target: &Target, number: CaseNumber) {
        let hash = self.hash(&self[account].name);
        let Some(rare) = self[account].known_rare() else { return };
        if rare.alive.get(target) != Some(&number) {
            return;
        }
        rare.alive.remove(target);
        if rare.alive.is_empty() {
            self.watched.remove(hash, account.into());
        }
    }

    /// Forgets an account that has nothing.
    pub fn tidy(&mut self, number: AccountNumber) {
        if self[number].is_empty() {
            self.index.remove(self.hash(&self[number].name), number.into());
            self[number] = Account::default();
            self.free.push(number);
        }
    }

    /// All accounts, and the places of some that are gone.
    pub fn iter(&self) -> impl Iterator<Item = (AccountNumber, &Account)> {
        (0..).zip(&self.accounts)
    }

    /// Puts their names into a stream.
    pub fn write<S: Sink>(&self, to: &mut S) -> Result<(), S::Error> {
        to.put_all(self.accounts.len(), self.accounts.iter().map(Account::name))?;
        to.put(&self.free)
    }

    /// Accounts of the names of a stream, with nothing yet.
    pub fn read<S: Source>(from: &mut S) -> Result<Accounts, S::Error> {
        let mut names = Vec::new();
        from.take_all(|name| names.push(name))?;
        Ok(Accounts::restore(AccountsState { names, free: from.take()? }))
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

fn hash(hasher: &Hasher, name: &[u8]) -> u64 {
    hasher.hash_one(name)
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
