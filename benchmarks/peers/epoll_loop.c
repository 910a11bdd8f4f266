/*
 * The hand-written loop in C: epoll, a recursive mutex, and an action that causes the next interrupt.
 *
 *     epoll_loop COUNT     prints nanoseconds per interrupt, elapsed and on the processor
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static int64_t left;

static double now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static int action(int fd, uint64_t count)
{
	left -= count;
	return left > 0 ? eventfd_write(fd, 1) : 0;
}

int main(int argc, char **argv)
{
	int64_t total = argc > 1 ? atoll(argv[1]) : 0;
	struct epoll_event event = { .events = EPOLLIN }, ready[8];
	pthread_mutexattr_t recursive;
	pthread_mutex_t gate;
	int fd = eventfd(1, EFD_NONBLOCK), epoll = epoll_create1(0);
	double began, began_cpu;

	if (total < 1 || fd < 0 || epoll < 0)
		return 1;
	event.data.fd = fd;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		return 1;
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&gate, &recursive);

	left = total;
	began = now_ns(CLOCK_MONOTONIC);
	began_cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
	while (left > 0) {
		int i, n = epoll_wait(epoll, ready, 8, -1);

		for (i = 0; i < n; i++) {
			uint64_t count;

			if (eventfd_read(ready[i].data.fd, &count))
				continue;
			pthread_mutex_lock(&gate);
			if (action(ready[i].data.fd, count))
				return 1;
			pthread_mutex_unlock(&gate);
		}
	}
	printf("%.1f %.1f\n", (now_ns(CLOCK_MONOTONIC) - began) / total,
	       (now_ns(CLOCK_THREAD_CPUTIME_ID) - began_cpu) / total);
	return 0;
}
