/*
 * reload - new settings for a running program.
 *
 * A front end gets a next generation of workers beside the current one. With
 * SVC_ONE_WORKER the worker takes the settings itself; only when it says that it did
 * are they in force here. Whatever goes wrong on the way changes nothing.
 */
#include <string.h>

#include "base/clock.h"
#include "log/log.h"
#include "svc/svc_impl.h"

#define READY_MS 60000 /* for workers of a next generation */

void
svc_reload_end(struct svc_supervisor *s, const char *failure)
{
	metrics_add(&svc_metrics[failure == NULL ? SVC_M_RELOADS_OK : SVC_M_RELOADS_FAILED], 1);
	if (failure == NULL)
		log_info(NULL, "svc.reloaded");
	else
		log_error(NULL, "svc.reload_failed reason=%s", log_esc(failure));
	svc_notify("READY=1");
}

/* ---- what only a restart changes ---- */

static void
warn_of_restarts(const struct svc_supervisor *s, const struct conf *c)
{
	const char *setting;
	size_t pos = 0;

	while ((setting = conf_next_restart(s->current->conf, c, &pos)) != NULL)
		log_warning(NULL,
		            "svc.restart_needed setting=%s reason=\"its new value counts from the "
		            "next start on\"",
		            setting);
}

/* ---- both ways ---- */

/* Takes *c. New workers beside the old ones. */
static int
reload_by_generation(struct svc_supervisor *s, struct conf **c, struct err *err)
{
	if (svc_log_apply(s, *c, err) == -1) {
		conf_free(c);
		return -1;
	}
	s->next = svc_generation_new(s, c, err);
	if (s->next == NULL) {
		conf_free(c);
		svc_log_restore(s);
		return -1;
	}
	s->next->ready_by_ms = clock_mono_ms() + READY_MS;
	svc_generation_start(s->next, s);
	return 0;
}

/* Takes *c. The worker is asked; svc_reload_answered() hears the answer. A worker that is
 * down starts with the new settings. */
static int
reload_in_place(struct svc_supervisor *s, struct conf **c, struct conf_file *f, struct err *err)
{
	struct svc_child *worker = &s->current->children[0];
	struct buf packed = BUF_INIT(SVC_FRAME_MAX);

	if (s->program->reload == NULL) {
		err_set(err, "this program takes new settings by a restart only");
		conf_free(c);
		return -1;
	}
	if (!worker->ready) {
		if (svc_log_apply(s, *c, err) == -1) {
			conf_free(c);
			return -1;
		}
		svc_generation_replace_conf(s->current, s, c);
		svc_reload_end(s, NULL);
		return 0;
	}
	conf_file_wipe_auth_only(f, &s->schema);
	conf_file_pack(f, &packed);
	if (packed.overflow) {
		err_set(err, "the settings are too long");
		conf_free(c);
	} else if (svc_log_apply(s, *c, err) == -1) { /* first here: the worker may only append */
		conf_free(c);
	} else {
		s->reload = *c;
		*c = NULL;
		svc_child_tell(worker, SVC_MSG_RELOAD, buf_slice(&packed));
	}
	buf_wipe(&packed);
	return s->reload != NULL ? 0 : -1;
}

void
svc_reload_begin(struct svc_supervisor *s)
{
	struct conf_file *f = NULL;
	struct conf *c;
	struct err err;
	int code, done = -1;

	if (s->stopping || s->current == NULL || s->next != NULL || s->reload != NULL) {
		s->reload_wanted = !s->stopping;
		return;
	}
	s->reload_wanted = false;
	log_info(NULL, "svc.reloading file=%s", log_esc(s->args->config));
	svc_notify_reloading();
	c = svc_load(s->program, s->args, &f, &code, &err);
	if (c != NULL)
		warn_of_restarts(s, c);
	if (c != NULL && (s->program->flags & SVC_ONE_WORKER) != 0)
		done = reload_in_place(s, &c, f, &err);
	else if (c != NULL)
		done = reload_by_generation(s, &c, &err);
	if (done == -1)
		svc_reload_end(s, err.text);
	conf_file_free(&f);
}

void
svc_reload_answered(struct svc_supervisor *s, const char *failure)
{
	if (s->reload == NULL)
		return;
	if (failure != NULL) {
		conf_free(&s->reload);
		svc_log_restore(s);
		svc_reload_end(s, failure);
		return;
	}
	svc_generation_replace_conf(s->current, s, &s->reload);
	svc_reload_end(s, NULL);
}
