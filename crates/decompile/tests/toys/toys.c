/* Small functions of all kinds; each is decompiled and compiled again. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct node { int value; struct node *next; };
struct point { short x; char tag; int64_t y; };
extern int counter;
extern const int weights[8];

int mix(int a, int b) { return ((a * 31 + b / 7) ^ (a >> 3)) - b % 5; }
unsigned divide(unsigned a, unsigned b) { return b ? a / b + a % 10 : a / 1000; }
unsigned rotate(unsigned x, int n) { return (x << (n & 31)) | (x >> (-n & 31)); }
int clamp(int x, int low, int high) { if (x < low) return low; if (x > high) return high; return x; }
int bits(uint64_t x) { int n = 0; while (x) { n += x & 1; x >>= 1; } return n; }
unsigned gcd(unsigned a, unsigned b) { while (b) { unsigned t = a % b; a = b; b = t; } return a; }
int collatz(unsigned long n) { int steps = 0; while (n != 1 && steps < 1000) { n = n & 1 ? 3 * n + 1 : n / 2; steps++; } return steps; }
int digits(int n) { int sum = 0; if (n < 0) n = -n; do { sum += n % 10; n /= 10; } while (n); return sum; }
uint64_t fibonacci(int n) { uint64_t a = 0, b = 1; for (int i = 0; i < n; i++) { uint64_t t = a + b; a = b; b = t; } return a; }
int triangle(int n) { int sum = 0; for (int i = 0; i < n; i++) for (int j = 0; j <= i; j++) { if ((i ^ j) % 3 == 0) continue; sum += i * j; } return sum; }
int64_t sum(const int *p, int n) { int64_t s = 0; for (int i = 0; i < n; i++) s += (int64_t)p[i] * weights[i & 7]; return s; }
void reverse(char *s) { size_t n = strlen(s); for (size_t i = 0; i < n / 2; i++) { char t = s[i]; s[i] = s[n - 1 - i]; s[n - 1 - i] = t; } }
void sort(int *p, int n) { for (int i = 1; i < n; i++) { int v = p[i], j = i - 1; while (j >= 0 && p[j] > v) { p[j + 1] = p[j]; j--; } p[j + 1] = v; } }
int occurrences(const char *s, char c) { int n = 0; for (; *s; s++) if (*s == c) n++; return n; }
int palindrome(const char *s) { const char *e = s + strlen(s); while (s < e) if (*s++ != *--e) return 0; return 1; }
uint32_t hash(const unsigned char *s) { uint32_t h = 2166136261u; while (*s) { h ^= *s++; h *= 16777619u; } return h; }
int copy_upper(char *to, const char *from, int room) { int n = 0; while (n + 1 < room && from[n]) { char c = from[n]; to[n] = c >= 'a' && c <= 'z' ? c - 32 : c; n++; } to[n] = 0; return n; }
int total(const struct node *n) { int t = 0; while (n) { t = t * 3 + n->value; n = n->next; } return t; }
int64_t shift_point(struct point *p, int by) { p->x += by; p->tag ^= 0x15; p->y = p->y * 2 - by; return p->y + p->x + p->tag; }
uint64_t factorial(unsigned n) { return n < 2 ? 1 : n * factorial(n - 1); }
unsigned ackermann(unsigned m, unsigned n) { if (m == 0) return n + 1; if (n == 0) return ackermann(m - 1, 1); return ackermann(m - 1, ackermann(m, n - 1)); }
int choose(int what, int x) {
  switch (what) {
    case 0: return x + 7; case 1: return mix(x, 3); case 2: return x * x; case 3: return digits(x);
    case 4: return -x; case 5: return clamp(x, -5, 5); case 6: counter += x; return counter; case 7: return x / 3;
    default: return 0;
  }
}
int sparse(int x) { switch (x) { case 1: return 3; case 100: return 7; case 1000: case 1001: return 9; case -5: return 11; case 70000: return 13; } return x; }
const char *day(unsigned n) {
  switch (n % 7) { case 0: return "Monday"; case 1: return "Tuesday"; case 2: return "Wednesday"; case 3: return "Thursday"; case 4: return "Friday"; default: return "weekend"; }
}
double polynomial(double x, int n) { double y = 1.5; for (int i = 0; i < n; i++) y = y * x - 0.25 * i; return y; }
int apply(int (*f)(int, int), int x, int n) { for (int i = 0; i < n; i++) x = f(x, i); return x; }
void bump(int by) { static int calls; calls++; counter += by * calls; }
void say(int n) { puts("hello"); if (n > 2) printf("%d needles\n", n); }
