/*
 * sanitized.h - is this a build for AddressSanitizer?
 *
 * Its runtime reads /proc and stops its own threads by ptrace when it looks for
 * leaks, so a few limits are wider in such a build, each marked where it is.
 */
#ifndef SANITIZED_H
#define SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
