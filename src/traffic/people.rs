//! The accounts: their cards, devices and addresses. What can be computed from an account's number
//! is not stored, so that a million accounts take some tens of megabytes.

use super::chance::{Dice, Weighted, mix};

pub(super) const NETWORKS: [&str; 5] = ["visa", "mastercard", "jcb", "amex", "diners"];
pub(super) const TIERS: [&str; 3] = ["standard", "gold", "platinum"];
const BINS_A_NETWORK: u8 = 4;

/// A card: its account, and which of its cards it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Card {
    pub(super) account: u32,
    pub(super) index: u8,
    pub(super) look: CardLook,
}

/// What is printed on a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CardLook {
    pub(super) network: u8,
    pub(super) tier: u8,
    pub(super) bin: u8,
    pub(super) debit: bool,
}

/// One account and what it does differently from the others.
#[derive(Debug, Clone)]
pub(super) struct Account {
    cards: [CardLook; 4],
    pub(super) card_count: u8,
    device_count: u8,
    /// How often each of its devices was replaced by a new one.
    device_turn: [u16; 2],
    /// A journey: the country (see [`super::shops::COUNTRIES`]), its first and last moment.
    pub(super) journey: (u8, i64, i64),
    /// It is nobody's victim again before this moment.
    pub(super) safe_until_ms: i64,
}

/// Where an online session comes from. Tokens, written in hexadecimal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    pub(super) device: Option<u64>,
    pub(super) ip: u64,
    pub(super) session: u64,
}

/// Every account.
pub(super) struct People {
    all: Vec<Account>,
    activity: Weighted,
    seed: u64,
    /// The first accounts are buyers with a story of their own, and no victims.
    pub(super) reserved: u32,
}

impl People {
    pub(super) fn new(count: u32, reserved: u32, seed: u64, dice: &mut Dice) -> People {
        let mut all: Vec<Account> = (0..count).map(|_| Account::new(dice)).collect();
        for account in all.iter_mut().take(reserved as usize) {
            account.card_count = 4;
            // Two of the same network, as people have them.
            for (card, network) in account.cards.iter_mut().zip([0, 0, 2, 1]) {
                *card = CardLook { network, tier: 1, bin: dice.below(4) as u8, debit: false };
            }
        }
        // The busiest buy about three times as often as the mean.
        let base = 1.0 + f64::from(count) / 40.0;
        let activity = (0..count).map(|rank| 1.0 / (f64::from(rank) + base).sqrt());
        People { all, activity: Weighted::new(activity), seed, reserved }
    }

    pub(super) fn count(&self) -> u32 {
        self.all.len() as u32
    }

    pub(super) fn any(&self, dice: &mut Dice) -> u32 {
        self.activity.draw(dice) as u32
    }

    pub(super) fn of(&self, account: u32) -> &Account {
        &self.all[account as usize]
    }

    pub(super) fn of_mut(&mut self, account: u32) -> &mut Account {
        &mut self.all[account as usize]
    }

    /// Somebody at home whom nothing has happened to lately, with at least so many cards, if there
    /// is one near a random place.
    pub(super) fn victim(&mut self, cards: u8, now_ms: i64, rest_ms: i64, dice: &mut Dice) -> u32 {
        let ordinary = self.count() - self.reserved;
        let start = dice.below(ordinary as usize) as u32;
        let mut candidates = (0..ordinary.min(256)).map(|n| self.reserved + (start + n) % ordinary);
        let fits = |&account: &u32| {
            let Account { card_count, safe_until_ms, journey, .. } = *self.of(account);
            card_count >= cards && safe_until_ms <= now_ms && journey.2 <= now_ms
        };
        let found = candidates.find(fits).unwrap_or(self.reserved + start);
        self.of_mut(found).safe_until_ms = now_ms + rest_ms;
        found
    }

    pub(super) fn card(&self, account: u32, index: u8) -> Card {
        Card { account, index, look: self.of(account).cards[usize::from(index)] }
    }

    /// Any card of this account, the first one most often.
    pub(super) fn card_of(&self, account: u32, dice: &mut Dice) -> Card {
        let count = usize::from(self.of(account).card_count);
        let index = if dice.chance(0.6) { 0 } else { dice.below(count) };
        self.card(account, index as u8)
    }

    /// A card whose number begins as this one's does, other people's first.
    pub(super) fn card_like(&self, look: CardLook, dice: &mut Dice) -> Card {
        let start = dice.below(self.all.len()) as u32;
        for n in 0..self.count().min(512) {
            let account = (start + n) % self.count();
            for index in 0..self.of(account).card_count {
                let card = self.card(account, index);
                if (card.look.network, card.look.bin) == (look.network, look.bin) {
                    return card;
                }
            }
        }
        self.card(start, 0)
    }

    /// A session of the account's owner: on one of the known devices, sometimes on a new one that
    /// is known from then on.
    pub(super) fn session(&mut self, account: u32, dice: &mut Dice) -> Session {
        let seed = self.seed;
        let owner = self.of_mut(account);
        let which = if dice.chance(0.75) { 0 } else { dice.below(usize::from(owner.device_count)) };
        if dice.chance(0.004) {
            owner.device_turn[which] += 1;
        }
        let turn = u64::from(owner.device_turn[which]);
        let home = mix(seed, u64::from(account));
        Session {
            device: Some(mix(home, 16 + which as u64 + turn * 2)),
            ip: mix(home, 8 + dice.below(3) as u64),
            session: dice.token(),
        }
    }

    /// The token of the account's home address.
    pub(super) fn home(&self, account: u32) -> u64 {
        mix(mix(self.seed, u64::from(account)), 1)
    }
}

impl Account {
    fn new(dice: &mut Dice) -> Account {
        let mut cards = [CardLook::default(); 4];
        for card in &mut cards {
            card.network = dice.pick([0, 0, 0, 1, 1, 2, 2, 2, 3, 4]);
            card.tier = dice.pick([0, 0, 0, 0, 0, 0, 1, 1, 1, 2]);
            card.bin = dice.below(usize::from(BINS_A_NETWORK)) as u8;
            card.debit = dice.chance(0.15);
        }
        Account {
            cards,
            card_count: dice.pick([1, 1, 1, 1, 2, 2, 2, 2, 3, 4]),
            device_count: dice.pick([1, 1, 2]),
            device_turn: [0; 2],
            journey: (0, i64::MIN, i64::MIN),
            safe_until_ms: i64::MIN,
        }
    }
}
