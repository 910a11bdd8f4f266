// SPDX-License-Identifier: GPL-2.0
/*
 * uio_dummy - UIO devices whose interrupts are raised by software
 *
 * Theory of operation
 * -------------------
 *
 * Every device "uio_dummy.N" is three things in one piece of silicon that
 * does not exist: a peripheral with one page of registers, one input of an
 * interrupt controller, and the UIO driver for that peripheral. All that is
 * pretended is the silicon. The interrupt is a real Linux interrupt with the
 * flow handler of its trigger type, taken in hard-irq context and passed on
 * by the UIO core the way it passes on any other.
 *
 *   raise attribute, hrtimer
 *        |            count it, set the status word      (the peripheral)
 *        v
 *     irq_work        hard-irq context                   (the wire)
 *        v
 *   handle_edge_irq, handle_level_irq                    (the genirq core)
 *        v
 *   uio_dummy_handler -> UIO core -> /dev/uioN           (the UIO driver)
 *
 * Edge: every raise is one edge. An edge that arrives while the line is
 * disabled is latched by the genirq core (IRQS_PENDING, one bit) and comes
 * back through irq_retrigger when the line is enabled, so any number of edges
 * while masked is exactly one interrupt after it.
 *
 * Level: the line is a state, so there is nothing to latch. The wire looks at
 * it when something is raised and again whenever the controller unmasks it.
 * With irqcontrol, bit 0 of the status word *is* the line: it stays asserted
 * until user space acknowledges. Without, nobody masks for the user, so the
 * handler does what a driver that switches the interrupt off in its device
 * does: it takes the line down and leaves the status word for user space.
 *
 * Masking with irqcontrol copies uio_pdrv_genirq: the handler disables the
 * line at every interrupt, whatever the trigger, until 1 is written. With
 * automask off, which is for edges only, nothing but a write of 0 masks: a
 * level that nobody masks would come again before user space could look.
 *
 * The register page is shared with user space, which may write anything
 * anywhere. So the page is only a mirror: state is kept in struct uio_dummy,
 * and the one word that is read back is the status word, where every value
 * is a legal one.
 *
 * Locks, outermost first:
 *
 *   uio_dummy_register_lock
 *                one device at a time in or out of the UIO core
 *   raise_lock   one raise at a time from sysfs, each waited for
 *   period_lock  one change of the timer at a time
 *   mask_lock    the masked flag and the disable depth that goes with it
 *   desc->lock   of the genirq core; held around our irq_chip callbacks
 *   hw_lock      peripheral and wire; nests inside desc->lock, because the
 *                callbacks take it, hence it cannot be mask_lock
 *
 * The last three are taken with interrupts off, and are raw: they are needed
 * in hard-irq context on PREEMPT_RT, too. The handler saves the interrupt
 * flags because it may have been forced into a thread. Nothing on the
 * interrupt path allocates.
 *
 * Teardown is devres, in this order: the driver core removes the attributes
 * (no raise, no new period), then the timer is cancelled, the UIO device is
 * unregistered (no irqcontrol, interrupt freed), the irq_work has drained,
 * and only then the interrupt number and the page go. Pages that user space
 * still has mapped live on: each mapping holds a reference (uio_vma_fault()).
 */

#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irq_work.h>
#include <linux/irqdomain.h>
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/ktime.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/uio_driver.h>
#include <linux/version.h>

#define UIO_DUMMY_NAME		"uio_dummy"
#define UIO_DUMMY_MAX_DEVICES	16
#define UIO_DUMMY_MAX_RAISE	1000000U

/*
 * 100 kHz is where the interrupts alone begin to fill a slow CPU; a faster
 * timer would test the machine, not the program.
 */
#define UIO_DUMMY_MIN_PERIOD_NS	(10ULL * NSEC_PER_USEC)
#define UIO_DUMMY_MAX_PERIOD_NS	(10ULL * NSEC_PER_SEC)

#define UIO_DUMMY_MAGIC		0x4f495544U
#define UIO_DUMMY_VERSION	1U
#define UIO_DUMMY_CAUSE		BIT(0)

/* The register page: an interface of user space, native byte order. */
struct uio_dummy_regs {
	u32 magic;
	u32 version;
	u64 raised;		/* interrupts raised */
	u64 taken;		/* times the handler ran */
	u64 passed;		/* times it passed an event to the UIO core */
	u64 last_raise_ns;	/* CLOCK_MONOTONIC */
	u32 status;		/* bit 0: cause pending; 0 acknowledges */
	u32 masked;		/* 1: masked by irqcontrol or the handler */
	u64 period_ns;		/* 0: timer off */
};

static_assert(offsetof(struct uio_dummy_regs, raised) == 0x08);
static_assert(offsetof(struct uio_dummy_regs, taken) == 0x10);
static_assert(offsetof(struct uio_dummy_regs, passed) == 0x18);
static_assert(offsetof(struct uio_dummy_regs, last_raise_ns) == 0x20);
static_assert(offsetof(struct uio_dummy_regs, status) == 0x28);
static_assert(offsetof(struct uio_dummy_regs, masked) == 0x2c);
static_assert(offsetof(struct uio_dummy_regs, period_ns) == 0x30);
static_assert(sizeof(struct uio_dummy_regs) == 0x38);

enum uio_dummy_trigger {
	UIO_DUMMY_EDGE,
	UIO_DUMMY_LEVEL,
};

static const char * const uio_dummy_trigger_names[] = {
	[UIO_DUMMY_EDGE] = "edge",
	[UIO_DUMMY_LEVEL] = "level",
};

struct uio_dummy {
	struct uio_info info;
	struct uio_dummy_regs *regs;	/* mirror; see the top of this file */
	unsigned int irq;

	struct mutex raise_lock;

	struct mutex period_lock;	/* one change of the timer at a time */
	struct hrtimer timer;

	raw_spinlock_t mask_lock;
	bool masked;

	raw_spinlock_t hw_lock;
	u64 raised;
	u64 taken;
	u64 passed;
	u64 period_ns;			/* 0: timer off */
	bool ticked;			/* to be armed again */
	unsigned int undelivered;	/* looks at the line owed by the wire */
	bool asserted;			/* level without irqcontrol: the line */
	bool line_masked;		/* by the genirq core, in the controller */
	struct irq_work wire;
};

/*
 * Parameters. The setters check, so that a bad value fails the load before
 * anything has been made, and with EINVAL whatever the parser thought of it
 * (a number too large for its type would be ERANGE).
 */

static unsigned int uio_dummy_devices = 1;
static unsigned int uio_dummy_first_event;
static int uio_dummy_trigger = UIO_DUMMY_EDGE;
static bool uio_dummy_irqcontrol = true;
static bool uio_dummy_automask = true;

static int uio_dummy_set_devices(const char *val, const struct kernel_param *kp)
{
	unsigned int devices;

	if (kstrtouint(val, 0, &devices) ||
	    devices < 1 || devices > UIO_DUMMY_MAX_DEVICES)
		return -EINVAL;

	*(unsigned int *)kp->arg = devices;
	return 0;
}

static const struct kernel_param_ops uio_dummy_devices_ops = {
	.set = uio_dummy_set_devices,
	.get = param_get_uint,
};
module_param_cb(devices, &uio_dummy_devices_ops, &uio_dummy_devices, 0444);
MODULE_PARM_DESC(devices, "number of UIO devices, 1 to 16 (default 1)");

static int uio_dummy_set_first_event(const char *val,
				     const struct kernel_param *kp)
{
	return kstrtouint(val, 0, kp->arg) ? -EINVAL : 0;
}

static const struct kernel_param_ops uio_dummy_first_event_ops = {
	.set = uio_dummy_set_first_event,
	.get = param_get_uint,
};
module_param_cb(first_event, &uio_dummy_first_event_ops, &uio_dummy_first_event,
		0444);
MODULE_PARM_DESC(first_event, "where the event counters start, 32 bits (default 0)");

static int uio_dummy_set_trigger(const char *val, const struct kernel_param *kp)
{
	int trigger = sysfs_match_string(uio_dummy_trigger_names, val);

	if (trigger < 0)
		return -EINVAL;

	*(int *)kp->arg = trigger;
	return 0;
}

static int uio_dummy_get_trigger(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n",
			  uio_dummy_trigger_names[*(int *)kp->arg]);
}

static const struct kernel_param_ops uio_dummy_trigger_ops = {
	.set = uio_dummy_set_trigger,
	.get = uio_dummy_get_trigger,
};
module_param_cb(trigger, &uio_dummy_trigger_ops, &uio_dummy_trigger, 0444);
MODULE_PARM_DESC(trigger, "\"edge\" (default) or \"level\"");

module_param_named(irqcontrol, uio_dummy_irqcontrol, bool, 0444);
MODULE_PARM_DESC(irqcontrol, "mask the line at every interrupt until 1 is written to /dev/uioN (default Y)");

module_param_named(automask, uio_dummy_automask, bool, 0444);
MODULE_PARM_DESC(automask, "N, with edges only: irqcontrol masks when 0 is written, and nothing else does (default Y)");

/* The peripheral and its wire */

static bool uio_dummy_line_asserted(struct uio_dummy *dummy)
{
	lockdep_assert_held(&dummy->hw_lock);

	if (uio_dummy_irqcontrol)
		return READ_ONCE(dummy->regs->status) & UIO_DUMMY_CAUSE;

	return dummy->asserted;
}

/*
 * Make the wire look at the line once more. Counted, not merely queued: two
 * raises must not become one because the irq_work was still on its way.
 */
static void uio_dummy_deliver(struct uio_dummy *dummy)
{
	lockdep_assert_held(&dummy->hw_lock);

	dummy->undelivered++;
	irq_work_queue(&dummy->wire);
}

/* Context: any, hard-irq included. */
static void uio_dummy_raise(struct uio_dummy *dummy)
{
	struct uio_dummy_regs *regs = dummy->regs;
	unsigned long flags;

	raw_spin_lock_irqsave(&dummy->hw_lock, flags);
	dummy->raised++;
	dummy->asserted = true;
	WRITE_ONCE(regs->last_raise_ns, ktime_get_ns());
	WRITE_ONCE(regs->raised, dummy->raised);
	WRITE_ONCE(regs->status, UIO_DUMMY_CAUSE);
	uio_dummy_deliver(dummy);
	raw_spin_unlock_irqrestore(&dummy->hw_lock, flags);
}

/*
 * Whether there is something to tell the genirq core, which is told without
 * hw_lock: it takes desc->lock.
 */
static bool uio_dummy_next_delivery(struct uio_dummy *dummy)
{
	bool deliver = false;

	raw_spin_lock(&dummy->hw_lock);
	while (dummy->undelivered && !deliver) {
		dummy->undelivered--;
		/*
		 * A level line that is masked or down needs nothing: it is
		 * looked at again when it is unmasked or raised. An edge
		 * always goes out, masked or not: it is the genirq core that
		 * latches edges.
		 */
		deliver = uio_dummy_trigger == UIO_DUMMY_EDGE ||
			  (!dummy->line_masked &&
			   uio_dummy_line_asserted(dummy));
	}
	raw_spin_unlock(&dummy->hw_lock);

	return deliver;
}

/*
 * Self-triggering. The timer is armed again at the end of the wire, not in
 * its own callback: on a CPU that is too slow for the period it would be due
 * again at once, hrtimer_interrupt() would go round and round and complain in
 * the kernel log. Periods that were missed are skipped, not caught up with,
 * and a quarter of a period is kept free for the program under test.
 */
static void uio_dummy_rearm(struct uio_dummy *dummy)
{
	raw_spin_lock(&dummy->hw_lock);
	if (dummy->ticked && dummy->period_ns) {
		hrtimer_forward(&dummy->timer,
				ktime_get() + dummy->period_ns / 4,
				ns_to_ktime(dummy->period_ns));
		hrtimer_start_expires(&dummy->timer,
				      HRTIMER_MODE_ABS_PINNED_HARD);
	}
	dummy->ticked = false;
	raw_spin_unlock(&dummy->hw_lock);
}

static enum hrtimer_restart uio_dummy_tick(struct hrtimer *timer)
{
	struct uio_dummy *dummy = container_of(timer, struct uio_dummy, timer);

	raw_spin_lock(&dummy->hw_lock);
	dummy->ticked = true;
	raw_spin_unlock(&dummy->hw_lock);
	uio_dummy_raise(dummy);

	return HRTIMER_NORESTART;
}

/* Once this returns the timer is off and stays off. */
static void uio_dummy_stop_timer(struct uio_dummy *dummy)
{
	raw_spin_lock_irq(&dummy->hw_lock);
	dummy->period_ns = 0;	/* first, or the wire arms it again */
	raw_spin_unlock_irq(&dummy->hw_lock);
	hrtimer_cancel(&dummy->timer);
}

static void uio_dummy_start_timer(struct uio_dummy *dummy, u64 period_ns)
{
	raw_spin_lock_irq(&dummy->hw_lock);
	dummy->period_ns = period_ns;
	dummy->ticked = false;
	hrtimer_start(&dummy->timer, ns_to_ktime(period_ns),
		      HRTIMER_MODE_REL_PINNED_HARD);
	raw_spin_unlock_irq(&dummy->hw_lock);
}

/*
 * Context: hard-irq, on PREEMPT_RT as well (IRQ_WORK_INIT_HARD). May run on
 * two CPUs at once; the genirq core sorts that out as for any interrupt.
 */
static void uio_dummy_wire(struct irq_work *work)
{
	struct uio_dummy *dummy = container_of(work, struct uio_dummy, wire);

	while (uio_dummy_next_delivery(dummy))
		generic_handle_irq(dummy->irq);

	uio_dummy_rearm(dummy);
}

/* The interrupt controller; all callbacks are called with desc->lock held */

static void uio_dummy_irq_ack(struct irq_data *data)
{
	/* An edge leaves nothing behind, but handle_edge_irq() insists. */
}

static void uio_dummy_irq_mask(struct irq_data *data)
{
	struct uio_dummy *dummy = irq_data_get_irq_chip_data(data);
	unsigned long flags;

	raw_spin_lock_irqsave(&dummy->hw_lock, flags);
	dummy->line_masked = true;
	raw_spin_unlock_irqrestore(&dummy->hw_lock, flags);
}

static void uio_dummy_irq_unmask(struct irq_data *data)
{
	struct uio_dummy *dummy = irq_data_get_irq_chip_data(data);
	unsigned long flags;

	raw_spin_lock_irqsave(&dummy->hw_lock, flags);
	dummy->line_masked = false;
	if (uio_dummy_trigger == UIO_DUMMY_LEVEL &&
	    uio_dummy_line_asserted(dummy))
		uio_dummy_deliver(dummy);
	raw_spin_unlock_irqrestore(&dummy->hw_lock, flags);
}

/*
 * The genirq core gives a latched edge back. Without this it would use its
 * software resend: softirq context, and a configuration option.
 */
static int uio_dummy_irq_retrigger(struct irq_data *data)
{
	struct uio_dummy *dummy = irq_data_get_irq_chip_data(data);
	unsigned long flags;

	raw_spin_lock_irqsave(&dummy->hw_lock, flags);
	uio_dummy_deliver(dummy);
	raw_spin_unlock_irqrestore(&dummy->hw_lock, flags);

	return 1;	/* not an errno: "done" */
}

static int uio_dummy_irq_set_type(struct irq_data *data, unsigned int type)
{
	switch (type) {
	case IRQ_TYPE_EDGE_RISING:
		irq_set_handler_locked(data, handle_edge_irq);
		return 0;
	case IRQ_TYPE_LEVEL_HIGH:
		irq_set_handler_locked(data, handle_level_irq);
		return 0;
	default:
		return -EINVAL;
	}
}

static struct irq_chip uio_dummy_irq_chip = {
	.name		= UIO_DUMMY_NAME,
	.irq_ack	= uio_dummy_irq_ack,
	.irq_mask	= uio_dummy_irq_mask,
	.irq_unmask	= uio_dummy_irq_unmask,
	.irq_retrigger	= uio_dummy_irq_retrigger,
	.irq_set_type	= uio_dummy_irq_set_type,
};

static int uio_dummy_irq_map(struct irq_domain *domain, unsigned int irq,
			     irq_hw_number_t hwirq)
{
	/* The flow handler follows from the trigger: see irq_set_type. */
	irq_set_chip_and_handler(irq, &uio_dummy_irq_chip, handle_bad_irq);
	irq_set_noprobe(irq);
	return 0;
}

static const struct irq_domain_ops uio_dummy_irq_domain_ops = {
	.map = uio_dummy_irq_map,
};

static struct irq_domain *uio_dummy_irq_domain;

/* The UIO driver */

static void uio_dummy_set_masked(struct uio_dummy *dummy, bool masked)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&dummy->mask_lock, flags);
	/* Disabling nests, masking does not: never twice the same way. */
	if (masked != dummy->masked) {
		dummy->masked = masked;
		WRITE_ONCE(dummy->regs->masked, masked);
		if (masked)
			disable_irq_nosync(dummy->irq);
		else
			enable_irq(dummy->irq);
	}
	raw_spin_unlock_irqrestore(&dummy->mask_lock, flags);
}

/* Context: hard-irq; a thread on older PREEMPT_RT: uio_dummy_irq_flags(). */
static irqreturn_t uio_dummy_handler(int irq, struct uio_info *info)
{
	struct uio_dummy *dummy = info->priv;
	irqreturn_t ret = IRQ_HANDLED;
	unsigned long flags;

	if (uio_dummy_irqcontrol && uio_dummy_automask)
		uio_dummy_set_masked(dummy, true);

	raw_spin_lock_irqsave(&dummy->hw_lock, flags);
	dummy->taken++;
	WRITE_ONCE(dummy->regs->taken, dummy->taken);

	/*
	 * A driver that quiets its device can tell that it was not asking.
	 * That happens when two CPUs saw the line up and the other one was
	 * faster.
	 */
	if (uio_dummy_trigger == UIO_DUMMY_LEVEL && !uio_dummy_irqcontrol &&
	    !dummy->asserted)
		ret = IRQ_NONE;
	dummy->asserted = false;

	if (ret == IRQ_HANDLED) {
		dummy->passed++;
		WRITE_ONCE(dummy->regs->passed, dummy->passed);
	}
	raw_spin_unlock_irqrestore(&dummy->hw_lock, flags);

	return ret;
}

/* Context: write() to /dev/uioN; never once the interrupt has been freed. */
static int uio_dummy_uio_irqcontrol(struct uio_info *info, s32 irq_on)
{
	if (irq_on != 0 && irq_on != 1)
		return -EINVAL;

	uio_dummy_set_masked(info->priv, !irq_on);
	return 0;
}

/*
 * Attributes of the platform device, which is the parent of the UIO device:
 * /sys/class/uio/uioN/device/. The driver core makes them after probe and
 * removes them, waiting for calls in progress, before anything is undone.
 */

static ssize_t raise_store(struct device *dev, struct device_attribute *attr,
			   const char *buf, size_t size)
{
	struct uio_dummy *dummy = dev_get_drvdata(dev);
	unsigned int count;

	if (kstrtouint(buf, 10, &count) ||
	    count < 1 || count > UIO_DUMMY_MAX_RAISE)
		return -EINVAL;

	while (count--) {
		/* Taken anew each time, so that several writers alternate. */
		if (mutex_lock_killable(&dummy->raise_lock))
			return -EINTR;
		uio_dummy_raise(dummy);
		/* The next one only when this one has reached the core. */
		irq_work_sync(&dummy->wire);
		mutex_unlock(&dummy->raise_lock);

		/* A million takes seconds; only SIGKILL ends it early. */
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}

	return size;
}
static DEVICE_ATTR_WO(raise);

static ssize_t period_ns_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	struct uio_dummy *dummy = dev_get_drvdata(dev);
	u64 period_ns;

	mutex_lock(&dummy->period_lock);
	period_ns = dummy->period_ns;
	mutex_unlock(&dummy->period_lock);

	return sysfs_emit(buf, "%llu\n", period_ns);
}

static ssize_t period_ns_store(struct device *dev,
			       struct device_attribute *attr,
			       const char *buf, size_t size)
{
	struct uio_dummy *dummy = dev_get_drvdata(dev);
	u64 period_ns;

	if (kstrtou64(buf, 10, &period_ns))
		return -EINVAL;
	if (period_ns && (period_ns < UIO_DUMMY_MIN_PERIOD_NS ||
			  period_ns > UIO_DUMMY_MAX_PERIOD_NS))
		return -EINVAL;

	mutex_lock(&dummy->period_lock);
	uio_dummy_stop_timer(dummy);
	WRITE_ONCE(dummy->regs->period_ns, period_ns);
	if (period_ns)
		uio_dummy_start_timer(dummy, period_ns);
	mutex_unlock(&dummy->period_lock);

	return size;
}
static DEVICE_ATTR_RW(period_ns);

static ssize_t trigger_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  uio_dummy_trigger_names[uio_dummy_trigger]);
}
static DEVICE_ATTR_RO(trigger);

static ssize_t irqcontrol_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", uio_dummy_irqcontrol);
}
static DEVICE_ATTR_RO(irqcontrol);

static struct attribute *uio_dummy_attrs[] = {
	&dev_attr_raise.attr,
	&dev_attr_period_ns.attr,
	&dev_attr_trigger.attr,
	&dev_attr_irqcontrol.attr,
	NULL,
};
ATTRIBUTE_GROUPS(uio_dummy);

static void uio_dummy_dispose_irq(void *data)
{
	struct uio_dummy *dummy = data;

	irq_dispose_mapping(dummy->irq);
}

static void uio_dummy_drain_wire(void *data)
{
	struct uio_dummy *dummy = data;

	irq_work_sync(&dummy->wire);
}

static void uio_dummy_undo_timer(void *data)
{
	uio_dummy_stop_timer(data);
}

static void uio_dummy_setup_timer(struct uio_dummy *dummy)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(&dummy->timer, uio_dummy_tick, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_HARD);
#else
	hrtimer_init(&dummy->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	dummy->timer.function = uio_dummy_tick;
#endif
}

static int uio_dummy_setup_irq(struct device *dev, struct uio_dummy *dummy,
			       irq_hw_number_t hwirq)
{
	int ret;

	dummy->irq = irq_create_mapping(uio_dummy_irq_domain, hwirq);
	if (!dummy->irq)
		return -ENOMEM;

	ret = devm_add_action_or_reset(dev, uio_dummy_dispose_irq, dummy);
	if (ret)
		return ret;

	dummy->line_masked = true;	/* until the core starts it up */
	dummy->wire = IRQ_WORK_INIT_HARD(uio_dummy_wire);
	irq_set_chip_data(dummy->irq, dummy);

	/*
	 * No spurious interrupt detection: it would take 100,000 raises in a
	 * row, while a busy CPU keeps the UIO core's thread waiting, for a
	 * broken device and switch the interrupt off. IRQ_NO_DEBUG has the
	 * better name, but is not for drivers to set (IRQF_MODIFY_MASK).
	 */
	irq_set_status_flags(dummy->irq, IRQ_IS_POLLED);

	/*
	 * As uio_pdrv_genirq does: a level line whose cause is dealt with in
	 * user space must be masked in the controller at once, not at the
	 * next interrupt.
	 */
	if (uio_dummy_trigger == UIO_DUMMY_LEVEL)
		irq_set_status_flags(dummy->irq, IRQ_DISABLE_UNLAZY);

	return devm_add_action_or_reset(dev, uio_dummy_drain_wire, dummy);
}

/*
 * The UIO core gives a minor number back before the device that had it has
 * left sysfs (seen in 6.12). Binding one device while another one is being
 * unbound then fails with EEXIST and a backtrace in the kernel log, so ours
 * take turns.
 */
static DEFINE_MUTEX(uio_dummy_register_lock);

static void uio_dummy_unregister_uio(void *data)
{
	struct uio_dummy *dummy = data;

	mutex_lock(&uio_dummy_register_lock);
	uio_unregister_device(&dummy->info);
	mutex_unlock(&uio_dummy_register_lock);
}

static int uio_dummy_register_uio(struct device *dev, struct uio_dummy *dummy)
{
	int ret;

	mutex_lock(&uio_dummy_register_lock);
	ret = uio_register_device(dev, &dummy->info);
	mutex_unlock(&uio_dummy_register_lock);
	if (ret)
		return ret;

	return devm_add_action_or_reset(dev, uio_dummy_unregister_uio, dummy);
}

static unsigned long uio_dummy_irq_flags(void)
{
	unsigned long flags = uio_dummy_trigger == UIO_DUMMY_LEVEL ?
			      IRQF_TRIGGER_HIGH : IRQF_TRIGGER_RISING;

	/*
	 * A UIO core that wakes its readers from a thread of its own leaves
	 * nothing but our handler to the hard interrupt, and that is fit for
	 * it on PREEMPT_RT as well. Forced into a thread it would fold
	 * interrupts which a device would have seen taken one by one. An
	 * older core wakes readers in hard-irq context, which PREEMPT_RT
	 * must be free to move.
	 */
	if (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0))
		flags |= IRQF_NO_THREAD;

	return flags;
}

static int uio_dummy_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct uio_dummy *dummy;
	struct uio_info *info;
	int ret;

	/* The device can also be made by others; ours are numbered from 0. */
	if (pdev->id < 0 || pdev->id >= UIO_DUMMY_MAX_DEVICES)
		return -ENODEV;

	dummy = devm_kzalloc(dev, sizeof(*dummy), GFP_KERNEL);
	if (!dummy)
		return -ENOMEM;

	dummy->regs = (void *)devm_get_free_pages(dev, GFP_KERNEL | __GFP_ZERO,
						  0);
	if (!dummy->regs)
		return -ENOMEM;

	dummy->regs->magic = UIO_DUMMY_MAGIC;
	dummy->regs->version = UIO_DUMMY_VERSION;

	mutex_init(&dummy->raise_lock);
	mutex_init(&dummy->period_lock);
	raw_spin_lock_init(&dummy->mask_lock);
	raw_spin_lock_init(&dummy->hw_lock);
	uio_dummy_setup_timer(dummy);
	platform_set_drvdata(pdev, dummy);

	ret = uio_dummy_setup_irq(dev, dummy, pdev->id);
	if (ret)
		return ret;

	info = &dummy->info;
	info->name = dev_name(dev);
	info->version = "1";
	info->priv = dummy;
	info->irq = dummy->irq;
	info->irq_flags = uio_dummy_irq_flags();
	info->handler = uio_dummy_handler;
	if (uio_dummy_irqcontrol)
		info->irqcontrol = uio_dummy_uio_irqcontrol;
	info->mem[0].name = "registers";
	info->mem[0].memtype = UIO_MEM_LOGICAL;
	info->mem[0].addr = (uintptr_t)dummy->regs;
	info->mem[0].size = PAGE_SIZE;

	ret = uio_dummy_register_uio(dev, dummy);
	if (ret)
		return ret;

	/*
	 * Nothing has been raised yet: the attributes that raise come after
	 * probe. So nobody sees the jump, unless he opened /dev/uioN in the
	 * instant since it was registered, for which there is no cure here.
	 */
	atomic_set(&info->uio_dev->event, (int)uio_dummy_first_event);

	return devm_add_action_or_reset(dev, uio_dummy_undo_timer, dummy);
}

static struct platform_driver uio_dummy_driver = {
	.probe = uio_dummy_probe,
	.driver = {
		.name = UIO_DUMMY_NAME,
		.dev_groups = uio_dummy_groups,
		/* Loaded means there; see uio_dummy_add_devices(). */
		.probe_type = PROBE_FORCE_SYNCHRONOUS,
	},
};

/* Module */

static struct fwnode_handle *uio_dummy_fwnode;
static struct platform_device *uio_dummy_pdevs[UIO_DUMMY_MAX_DEVICES];

static void uio_dummy_remove_devices(void)
{
	unsigned int i = uio_dummy_devices;

	while (i--) {
		platform_device_unregister(uio_dummy_pdevs[i]);
		uio_dummy_pdevs[i] = NULL;
	}
}

static int __init uio_dummy_add_devices(void)
{
	struct platform_device *pdev;
	unsigned int i;

	for (i = 0; i < uio_dummy_devices; i++) {
		pdev = platform_device_register_simple(UIO_DUMMY_NAME, i,
						       NULL, 0);
		if (IS_ERR(pdev)) {
			uio_dummy_remove_devices();
			return PTR_ERR(pdev);
		}
		uio_dummy_pdevs[i] = pdev;

		/* A failed probe does not fail the registration; fail here. */
		if (!pdev->dev.driver) {
			uio_dummy_remove_devices();
			return -ENODEV;
		}
	}

	return 0;
}

static int __init uio_dummy_init(void)
{
	int ret;

	if (!uio_dummy_automask && uio_dummy_trigger == UIO_DUMMY_LEVEL) {
		pr_err(UIO_DUMMY_NAME ": automask=N is for trigger=edge\n");
		return -EINVAL;
	}

	uio_dummy_fwnode = irq_domain_alloc_named_fwnode(UIO_DUMMY_NAME);
	if (!uio_dummy_fwnode)
		return -ENOMEM;

	uio_dummy_irq_domain =
		irq_domain_create_linear(uio_dummy_fwnode,
					 UIO_DUMMY_MAX_DEVICES,
					 &uio_dummy_irq_domain_ops, NULL);
	if (!uio_dummy_irq_domain) {
		ret = -ENOMEM;
		goto err_fwnode;
	}

	ret = platform_driver_register(&uio_dummy_driver);
	if (ret)
		goto err_domain;

	ret = uio_dummy_add_devices();
	if (ret)
		goto err_driver;

	return 0;

err_driver:
	platform_driver_unregister(&uio_dummy_driver);
err_domain:
	irq_domain_remove(uio_dummy_irq_domain);
err_fwnode:
	irq_domain_free_fwnode(uio_dummy_fwnode);
	return ret;
}

static void __exit uio_dummy_exit(void)
{
	uio_dummy_remove_devices();
	platform_driver_unregister(&uio_dummy_driver);
	irq_domain_remove(uio_dummy_irq_domain);
	irq_domain_free_fwnode(uio_dummy_fwnode);
}

module_init(uio_dummy_init);
module_exit(uio_dummy_exit);

MODULE_DESCRIPTION("UIO devices whose interrupts are raised by software");
MODULE_AUTHOR("The uio_workloop authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0");
