/* What the decompiler's texts take for granted. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint8_t undefined1;
typedef uint16_t undefined2;
typedef uint32_t undefined4;
typedef uint64_t undefined8;
typedef uint8_t byte;
typedef long code();

extern undefined4 counter;
extern undefined1 weights[];
extern undefined4 calls_0;

/* The part of a value from byte n on. */
#define SUB41(x, n) ((uint8_t)((uint32_t)(x) >> (n) * 8))
#define SUB42(x, n) ((uint16_t)((uint32_t)(x) >> (n) * 8))
#define SUB81(x, n) ((uint8_t)((uint64_t)(x) >> (n) * 8))
#define SUB82(x, n) ((uint16_t)((uint64_t)(x) >> (n) * 8))
#define SUB84(x, n) ((uint32_t)((uint64_t)(x) >> (n) * 8))
/* Two values beside each other. */
#define CONCAT11(a, b) ((uint16_t)((uint16_t)(uint8_t)(a) << 8 | (uint8_t)(b)))
#define CONCAT22(a, b) ((uint32_t)(uint16_t)(a) << 16 | (uint16_t)(b))
#define CONCAT31(a, b) ((uint32_t)(a) << 8 | (uint8_t)(b))
#define CONCAT44(a, b) ((uint64_t)(uint32_t)(a) << 32 | (uint32_t)(b))
#define CONCAT71(a, b) ((uint64_t)(a) << 8 | (uint8_t)(b))
#define ZEXT14(x) ((uint32_t)(uint8_t)(x))
#define ZEXT48(x) ((uint64_t)(uint32_t)(x))
#define SEXT48(x) ((int64_t)(int32_t)(x))
/* Carries and overflows. */
#define CARRY4(a, b) ((uint32_t)((uint32_t)(a) + (uint32_t)(b)) < (uint32_t)(a))
#define CARRY8(a, b) ((uint64_t)((uint64_t)(a) + (uint64_t)(b)) < (uint64_t)(a))
#define SCARRY4(a, b) __builtin_add_overflow_p((int32_t)(a), (int32_t)(b), (int32_t)0)
#define SBORROW4(a, b) __builtin_sub_overflow_p((int32_t)(a), (int32_t)(b), (int32_t)0)
#define SBORROW8(a, b) __builtin_sub_overflow_p((int64_t)(a), (int64_t)(b), (int64_t)0)
