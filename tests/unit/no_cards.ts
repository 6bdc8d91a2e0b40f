// For tests that nobody asks what else there is.

import type { Cards } from "../../lib/oss/cards.ts";

export const NO_CARDS: Cards = { cards: [], audios: [], mixers: [], streams: [] };
