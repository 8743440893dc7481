import { describe } from '@jest/globals';
import { searchMismatches } from './search.js';

describe('workflows composed of nested parts end as in-process', () => searchMismatches(0));
