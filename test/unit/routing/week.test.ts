import { describe, expect, it } from 'vitest';
import { hhmmOf, minutesOf, spanTexts, splitAtMidnight, weekSpans } from '../../../src/routing/week.js';

const entry = (day_of_week: string, open_time: string, close_time: string) => ({ day_of_week, open_time, close_time });
const texts = (...entries: ReturnType<typeof entry>[]) => {
  const spans = weekSpans(entries);
  return spans && spanTexts(spans);
};

describe('a time of day', () => {
  it.each([
    ['0000', 0],
    ['2359', 1439],
    ['09:30', 570],
    ['24:00', undefined],
    ['0960', undefined],
    ['930', undefined],
    [930, undefined],
    [undefined, undefined],
  ])('%j is minute %j', (text, minutes) => {
    expect(minutesOf(text)).toBe(minutes);
    if (minutes !== undefined) expect(hhmmOf(minutes)).toBe(text.replace(':', ''));
  });
});

describe('the open minutes of a week', () => {
  it('are the same in whatever order and form they are written', () => {
    const usual = texts(entry('MONDAY', '0900', '1700'), entry('TUESDAY', '0900', '1200'));
    expect(usual).toEqual(['MONDAY 0900-1700', 'TUESDAY 0900-1200']);
    expect(texts(entry('TUESDAY', '09:00', '12:00'), entry('MONDAY', '09:00', '17:00'))).toEqual(usual);
  });

  it('join where one entry goes on in another, but not over a minute that is closed', () => {
    expect(texts(entry('MONDAY', '0900', '1259'), entry('MONDAY', '1300', '1700'))).toEqual(['MONDAY 0900-1700']);
    expect(texts(entry('MONDAY', '0900', '1300'), entry('MONDAY', '1300', '1700'))).toEqual(['MONDAY 0900-1700']);
    expect(texts(entry('MONDAY', '0900', '1258'), entry('MONDAY', '1300', '1700'))).toHaveLength(2);
    expect(weekSpans([entry('MONDAY', '2200', '2359'), entry('TUESDAY', '0000', '0300')])).toHaveLength(1);
    expect(weekSpans([entry('MONDAY', '2200', '2358'), entry('TUESDAY', '0000', '0300')])).toHaveLength(2);
  });

  it('are shown by day', () => {
    expect(
      texts(entry('MONDAY', '2200', '2359'), entry('TUESDAY', '0000', '2359'), entry('WEDNESDAY', '0000', '0300')),
    ).toEqual(['MONDAY 2200-2359', 'TUESDAY 0000-2359', 'WEDNESDAY 0000-0300']);
  });

  it.each([[entry('MON', '0900', '1700')], [entry('MONDAY', '9', '1700')], [entry('MONDAY', '1700', '0900')]])(
    'cannot be read of %j',
    (bad) => {
      expect(weekSpans([bad])).toBeUndefined();
    },
  );
});

describe('hours past midnight', () => {
  it.each([
    [entry('FRIDAY', '2200', '0300'), [entry('FRIDAY', '2200', '2359'), entry('SATURDAY', '0000', '0300')]],
    [entry('SUNDAY', '2200', '0300'), [entry('SUNDAY', '2200', '2359'), entry('MONDAY', '0000', '0300')]],
    [entry('FRIDAY', '2200', '0000'), [entry('FRIDAY', '2200', '2359')]],
    [entry('FRIDAY', '0000', '0000'), [entry('FRIDAY', '0000', '2359')]],
    [entry('FRIDAY', '0900', '1700'), [entry('FRIDAY', '0900', '1700')]],
    [entry('FRIDAY', 'noon', '1700'), [entry('FRIDAY', 'noon', '1700')]],
  ])('%j', (written, split) => {
    expect(splitAtMidnight(written)).toEqual(split);
  });
});
