/* Calls the functions and prints what they return and what they change: a line
   a call, which begins with the function's name. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct node { int value; struct node *next; };
struct point { short x; char tag; int64_t y; };
int mix(int, int); unsigned divide(unsigned, unsigned); unsigned rotate(unsigned, int); int clamp(int, int, int);
int bits(uint64_t); unsigned gcd(unsigned, unsigned); int collatz(unsigned long); int digits(int); uint64_t fibonacci(int);
int triangle(int); int64_t sum(const int *, int); void reverse(char *); void sort(int *, int); int occurrences(const char *, char);
int palindrome(const char *); uint32_t hash(const unsigned char *); int copy_upper(char *, const char *, int);
int total(const struct node *); int64_t shift_point(struct point *, int); uint64_t factorial(unsigned);
unsigned ackermann(unsigned, unsigned); int choose(int, int); int sparse(int); const char *day(unsigned);
double polynomial(double, int); int apply(int (*)(int, int), int, int); void bump(int); void say(int); extern int counter;

static const int numbers[] = {0, 1, -1, 7, 10, 99, -128, 1000, 12345, -70000, 2147483647, -2147483647};
static const char *const texts[] = {"", "a", "abba", "needle in a haystack", "Was it a rat", "zZz", "racecar"};
#define COUNT(list) ((int)(sizeof(list) / sizeof(*list)))

int main(void) {
  for (int i = 0; i < COUNT(numbers); i++) {
    int n = numbers[i];
    for (int j = 0; j < COUNT(numbers); j += 3) {
      int m = numbers[j];
      printf("mix %d %d %d\n", n, m, mix(n % 100000, m));
      printf("divide %d %d %u\n", n, m, divide(n, m));
      printf("gcd %d %d %u\n", n, m, gcd(n, m));
      printf("clamp %d %d %d\n", n, m, clamp(n, -20, m));
    }
    printf("rotate %d %u\n", n, rotate(n, i * 5));
    printf("bits %d %d\n", n, bits((uint64_t)n * 0x100000001ull));
    printf("collatz %d %d\n", n, collatz((unsigned)n % 100000 + 1));
    printf("digits %d %d\n", n, digits(n));
    printf("fibonacci %d %llu\n", i, (unsigned long long)fibonacci(i * 7));
    printf("triangle %d %d\n", i, triangle(i * 2));
    printf("factorial %d %llu\n", i, (unsigned long long)factorial(i + 5));
    printf("day %d %s\n", i, day(i));
    printf("sparse %d %d\n", n, sparse(n));
    printf("polynomial %d %.6g\n", i, polynomial(n / 1000.0, i));
    printf("apply %d %d\n", i, apply(mix, n % 1000, i));
    bump(i);
    printf("bump %d %d\n", i, counter);
  }
  for (int i = -7; i < 110000; i = i * 3 + 22) printf("sparse %d %d\n", i, sparse(i));
  static const int odd[] = {1, 100, 1000, 1001, -5, 70000};
  for (int i = 0; i < COUNT(odd); i++) printf("sparse %d %d\n", odd[i], sparse(odd[i]));
  for (int i = -1; i < 9; i++) printf("choose %d %d\n", i, choose(i, i * 11 - 4));
  for (int i = 0; i < 3; i++) printf("ackermann %d %u\n", i, ackermann(i, 3));
  for (int i = 0; i < COUNT(texts); i++) {
    char copy[64], upper[64];
    strcpy(copy, texts[i]);
    reverse(copy);
    printf("reverse %s\n", copy);
    printf("occurrences %d\n", occurrences(texts[i], 'a'));
    printf("palindrome %d\n", palindrome(texts[i]) != 0);
    printf("hash %u\n", hash((const unsigned char *)texts[i]));
    int n = copy_upper(upper, texts[i], 9);
    printf("copy_upper %d %s\n", n, upper);
  }
  int list[COUNT(numbers)];
  memcpy(list, numbers, sizeof list);
  printf("sum %lld\n", (long long)sum(list, COUNT(list)));
  sort(list, COUNT(list));
  for (int i = 0; i < COUNT(list); i++) printf("sort %d\n", list[i]);
  struct node c = {9, 0}, b = {-4, &c}, a = {12, &b};
  printf("total %d %d\n", total(&a), total(0));
  struct point p = {100, 'q', 77};
  for (int i = 0; i < 4; i++) {
    long long shifted = shift_point(&p, i * 9);
    printf("shift_point %lld %d %d %lld\n", shifted, p.x, p.tag, (long long)p.y);
  }
  say(1);
  say(5);
  return 0;
}
