//! The stories told beside the ordinary visits, and when each is told.
//!
//! A story writes all its lines at once, those of the hours to come included; the tape sorts them
//! in. So none has a state but the monthly budget of a business.

mod buyers;
mod stolen;
mod takeover;
mod testing;

use super::Settings;
use super::chance::Dice;
use super::rhythm::{DAY_MS, HOUR_MS, local_day, local_midnight};
use super::stage::Stage;
use buyers::Budget;

/// Lines that a seller writes a day, about, and the share of all lines that sellers may take.
const SELLER_LINES_A_DAY: f64 = 45.0;
const SELLER_SHARE_MAX: f64 = 0.06;
/// Accounts for one seller.
const ACCOUNTS_A_SELLER: u32 = 500;

/// Who comes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Actor {
    /// The account with this number: a seller buying stock.
    Seller(u32),
    /// The account of the n-th business that buys on a personal card.
    Business(u32),
    /// Whoever commits the next fraud.
    Fraud,
}

#[derive(Debug, Clone, Copy)]
enum Fraud {
    Takeover,
    Testing(testing::Way),
    ClonedCard,
    StolenCard,
}

/// The order of the frauds, over and over, so that a short log has some of each...
const REPERTOIRE: [Fraud; 12] = [
    Fraud::Takeover,
    Fraud::Testing(testing::Way::Device),
    Fraud::ClonedCard,
    Fraud::Testing(testing::Way::Account),
    Fraud::Takeover,
    Fraud::StolenCard,
    Fraud::Testing(testing::Way::Bin),
    Fraud::Takeover,
    Fraud::ClonedCard,
    Fraud::Testing(testing::Way::Terminal),
    Fraud::StolenCard,
    Fraud::Testing(testing::Way::OneCard),
];
/// ...and how many labelled lines one of them has, on the average.
const LINES_A_FRAUD: f64 = 18.5;

/// All actors but the ordinary people.
pub(super) struct Cast {
    start_ms: i64,
    span_ms: i64,
    sellers: u32,
    businesses: Vec<Budget>,
    frauds: u64,
    committed: u64,
}

impl Cast {
    pub(super) fn new(settings: &Settings) -> Cast {
        let Settings { start_ms, span_ms, events, accounts, fraud_share, .. } = *settings;
        let days = (span_ms as f64 / DAY_MS as f64).max(1.0);
        let affordable = events as f64 * SELLER_SHARE_MAX / (SELLER_LINES_A_DAY * days);
        let sellers = (1 + accounts / ACCOUNTS_A_SELLER).min(affordable as u32).max(1);
        let businesses = vec![Budget::default(); sellers.div_ceil(2) as usize];
        let frauds = (events as f64 * fraud_share / LINES_A_FRAUD + 0.5) as u64;
        Cast { start_ms, span_ms, sellers, businesses, frauds, committed: 0 }
    }

    /// How many of the first accounts have a part.
    pub(super) fn reserved(&self) -> u32 {
        self.sellers + self.businesses.len() as u32
    }

    /// Who comes on first, and when.
    pub(super) fn entrances(&self, dice: &mut Dice) -> Vec<(i64, Actor)> {
        let morning_ms = next_morning_ms(self.start_ms);
        let mut entrances: Vec<(i64, Actor)> =
            (0..self.sellers).map(|n| (morning_ms, Actor::Seller(n))).collect();
        let businesses = self.businesses.len() as u32;
        entrances.extend((0..businesses).map(|n| (morning_ms, Actor::Business(n))));
        entrances.extend(self.next_fraud_ms(dice).map(|at_ms| (at_ms, Actor::Fraud)));
        entrances
    }

    /// Plays a part; returns when the actor comes on again.
    pub(super) fn play(&mut self, actor: Actor, now_ms: i64, stage: &mut Stage) -> Option<i64> {
        match actor {
            Actor::Seller(account) => {
                buyers::seller_day(stage, account, now_ms);
                Some(next_morning_ms(now_ms))
            }
            Actor::Business(n) => {
                let account = self.sellers + n;
                buyers::business_day(stage, account, now_ms, &mut self.businesses[n as usize]);
                Some(next_morning_ms(now_ms))
            }
            Actor::Fraud => {
                let at = self.committed % REPERTOIRE.len() as u64;
                match REPERTOIRE[at as usize] {
                    Fraud::Takeover => takeover::take_over(stage, now_ms),
                    Fraud::Testing(way) => testing::test_cards(stage, now_ms, way),
                    Fraud::ClonedCard => stolen::use_clone(stage, now_ms),
                    Fraud::StolenCard => stolen::order_with_stolen_card(stage, now_ms),
                }
                self.committed += 1;
                self.next_fraud_ms(&mut stage.dice)
            }
        }
    }

    /// Frauds are spread over the span, each somewhere within its part of it; none at the very
    /// start, where nothing has a history yet, and none that could not end.
    fn next_fraud_ms(&self, dice: &mut Dice) -> Option<i64> {
        if self.committed == self.frauds {
            return None;
        }
        let share = (self.committed as f64 + dice.unit()) / self.frauds as f64;
        Some(self.start_ms + (self.span_ms as f64 * (0.08 + 0.84 * share)) as i64)
    }
}

/// The next nine o'clock.
fn next_morning_ms(now_ms: i64) -> i64 {
    let today_ms = local_midnight(local_day(now_ms)) + 9 * HOUR_MS;
    if now_ms < today_ms { today_ms } else { today_ms + DAY_MS }
}
