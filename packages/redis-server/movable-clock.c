// Preloaded into redis-server: adds an offset, which a test changes while the server runs, to the system's clock.
// P2_CLOCK_OFFSET_FILE names a file with the offset in milliseconds, a 64-bit little-endian integer. Monotonic clocks stay.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset_ms;

__attribute__((constructor)) static void map_offset(void) {
  const char *path = getenv("P2_CLOCK_OFFSET_FILE");
  if (path == NULL) return;
  int file = open(path, O_RDONLY);
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) offset_ms = mapped;
}

static int moved_time(clockid_t clock, struct timespec *time) {
  if (syscall(SYS_clock_gettime, clock, time) != 0) return -1;
  if (offset_ms == NULL) return 0;
  int64_t nanos = (int64_t)time->tv_nsec + (*offset_ms % 1000) * 1000000;
  time->tv_sec += *offset_ms / 1000;
  if (nanos < 0) {
    nanos += 1000000000;
    time->tv_sec -= 1;
  } else if (nanos >= 1000000000) {
    nanos -= 1000000000;
    time->tv_sec += 1;
  }
  time->tv_nsec = nanos;
  return 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) return moved_time(clock, time);
  return (int)syscall(SYS_clock_gettime, clock, time);
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  (void)zone;
  struct timespec moved;
  if (moved_time(CLOCK_REALTIME, &moved) != 0) return -1;
  time->tv_sec = moved.tv_sec;
  time->tv_usec = moved.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *result) {
  struct timespec moved;
  if (moved_time(CLOCK_REALTIME, &moved) != 0) return (time_t)-1;
  if (result != NULL) *result = moved.tv_sec;
  return moved.tv_sec;
}
