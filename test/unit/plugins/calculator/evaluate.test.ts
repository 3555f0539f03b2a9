import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExpressionError, evaluate } from '../../../../plugins/calculator/src/evaluate.ts';

function check(cases: Readonly<Record<string, number>>): void {
  for (const [expression, expected] of Object.entries(cases)) {
    const value = evaluate(expression);
    assert.ok(Math.abs(value - expected) < 1e-12, `${expression} is ${value}, not ${expected}`);
  }
}

function refuses(expression: string, message: RegExp, position: number): void {
  assert.throws(
    () => evaluate(expression),
    (error) => {
      assert.ok(error instanceof ExpressionError);
      assert.match(error.message, message);
      assert.equal(error.position, position, error.message);
      return true;
    },
  );
}

describe('evaluate', () => {
  it('binds products tighter than sums', () =>
    check({ '2+2*3': 8, '2 * 3 + 2': 8, '10-4-3': 3, '12/4/3': 1, '7%4*2': 6 }));
  it('reads parentheses and white space', () => check({ '(2+2)*3': 12, ' ( ( 1 ) ) ': 1, '\t1\n+ 1': 2 }));
  it('reads decimals and scientific notation', () => {
    check({ '.5+1.': 1.5, '1e3': 1000, '2.5E-1': 0.25, '1e+2': 100, '1-1e-1': 0.9 });
  });
  it('binds powers to the right and tighter than signs', () => {
    check({ '2^3^2': 512, '2**10': 1024, '-2^2': -4, '(-2)^2': 4, '2^-1': 0.5, '2^-2^2': 0.0625, '4^.5': 2 });
  });
  it('reads signs in front of anything', () =>
    check({ '--2': 2, '+-+2': -2, '3--2': 5, '-(1+2)': -3, '-pi': -Math.PI }));
  it('keeps the sign of the left side in a remainder', () => check({ '-7%4': -3, '7%-4': 3 }));
  it('never returns negative zero', () => assert.ok(Object.is(evaluate('-0'), 0)));
  it('knows functions and constants', () => {
    check({ 'sqrt(16)': 4, 'abs(-3)': 3, 'min(3, 1, 2)': 1, 'max(3,(4))': 4, 'round(2.5)': 3, 'floor(-1.5)': -2 });
    check({ 'ceil(1.2)': 2, 'ln(e)': 1, 'log(1000)': 3, 'sin(pi/2)': 1, 'cos(0)': 1, 'tan(0)': 0, 'sqrt(2)^2': 2 });
  });

  it('names the first thing that does not fit, and its position', () => {
    refuses('2+', /^Expected a number, a name or "\(", found the end at position 3\.$/, 3);
    refuses('', /found the end/, 1);
    refuses('   ', /found the end/, 4);
    refuses('2 3', /^Expected an operator, found "3" at position 3\.$/, 3);
    refuses('(1+2', /^Expected "\)", found the end/, 5);
    refuses('1+2)', /^Expected an operator, found "\)"/, 4);
    refuses('2*/3', /found "\/"/, 3);
    refuses('1..2', /^Expected an operator, found ".2"/, 3);
    refuses('2 $ 3', /^"\$" is not part of any expression/, 3);
    refuses('1+😀', /^"😀" is not part/, 3);
    refuses('min()', /^Expected a number/, 5);
    refuses('sqrt 4', /^Expected "\("/, 6);
    refuses('sqrt(1;2)', /^";" is not part/, 7);
  });
  it('lists the known names when it meets an unknown one', () => {
    refuses('1+foo(2)', /^Unknown name "foo" at position 3\. Known are sqrt, .*pi, e\.$/, 3);
    refuses('constructor', /^Unknown name "constructor"/, 1);
    refuses('__proto__', /^Unknown name/, 1);
  });
  it('refuses too many arguments', () => refuses('sqrt(4, 9)', /^sqrt takes one number, not 2,/, 1));
  it('refuses what has no finite value', () => {
    refuses('1/0', /^Division by zero at position 2\.$/, 2);
    refuses('1%(2-2)', /^Division by zero/, 2);
    refuses('sqrt(-1)', /^sqrt has no finite value/, 1);
    refuses('ln(0)', /^ln has no finite value/, 1);
    refuses('9^999', /^The power has no finite value/, 2);
    refuses('(-1)^0.5', /^The power/, 5);
    refuses('1e999', /^The number is too large/, 1);
    refuses('1e308*10', /^The result is too large/, 6);
  });
  it('bounds its depth however it is reached', () => {
    check({ [`${'('.repeat(100)}1${')'.repeat(100)}`]: 1 });
    for (const expression of ['('.repeat(500), '-'.repeat(1000), '1^'.repeat(400), 'abs('.repeat(200)]) {
      assert.throws(() => evaluate(expression), /More than 100 levels of nesting/);
    }
  });
  it('reads the longest sums without recursion', () => check({ [`1${'+1'.repeat(499)}`]: 500 }));
});
