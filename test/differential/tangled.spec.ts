import { describe } from '@jest/globals';
import { searchMismatches } from './search.js';

describe('workflows of any shape end as in-process', () => searchMismatches(1));
