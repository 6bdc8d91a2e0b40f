// The least FUSE server that can stand in for a dsp, to measure ours against: one file "dsp", whose
// writes are swallowed and whose OSS_GETVERSION and SNDCTL_DSP_GETOSPACE are answered. One thread,
// one read and one write a request, nothing else.
//
// Usage: fuse_server FOLDER     mounts on FOLDER, serves until SIGTERM

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/soundcard.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int fd;
static const char *folder;
static char in[256 * 1024];
static char out[32 * 1024];

static void answer(int error, size_t body)
{
	struct fuse_out_header *header = (void *)out;
	header->len = sizeof *header + body;
	header->error = error;
	header->unique = ((struct fuse_in_header *)in)->unique;
	if (write(fd, out, header->len) < 0 && errno != ENOENT)
		perror("answer");
}

static void attributes(struct fuse_attr *attr, uint64_t nodeid)
{
	attr->ino = nodeid;
	attr->mode = nodeid == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0666;
	attr->nlink = 1;
}

static void serve(struct fuse_in_header *header)
{
	void *request = header + 1;
	void *reply = out + sizeof(struct fuse_out_header);
	memset(reply, 0, 256);
	switch (header->opcode) {
	case FUSE_INIT: {
		struct fuse_init_out *init = reply;
		init->major = 7;
		init->minor = 31;
		init->flags = FUSE_BIG_WRITES;
		init->max_write = 128 * 1024;
		return answer(0, sizeof *init);
	}
	case FUSE_LOOKUP: {
		struct fuse_entry_out *entry = reply;
		if (strcmp(request, "dsp"))
			return answer(-ENOENT, 0);
		entry->nodeid = 2;
		attributes(&entry->attr, 2);
		return answer(0, sizeof *entry);
	}
	case FUSE_GETATTR:
	case FUSE_SETATTR: {
		struct fuse_attr_out *attr = reply;
		attributes(&attr->attr, header->nodeid);
		return answer(0, sizeof *attr);
	}
	case FUSE_OPEN: {
		struct fuse_open_out *open = reply;
		open->open_flags = FOPEN_DIRECT_IO | FOPEN_NONSEEKABLE | FOPEN_STREAM;
		return answer(0, sizeof *open);
	}
	case FUSE_WRITE: {
		struct fuse_write_out *written = reply;
		written->size = ((struct fuse_write_in *)request)->size;
		return answer(0, sizeof *written);
	}
	case FUSE_IOCTL: {
		struct fuse_ioctl_out *ioctl = reply;
		struct fuse_ioctl_in *call = request;
		if (call->cmd == OSS_GETVERSION)
			*(int *)(ioctl + 1) = 0x030810;
		else if (call->cmd == SNDCTL_DSP_GETOSPACE)
			*(audio_buf_info *)(ioctl + 1) = (audio_buf_info){ 16, 16, 4096, 65536 };
		return answer(0, sizeof *ioctl + call->out_size);
	}
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		return answer(0, 0);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	default:
		return answer(-ENOSYS, 0);
	}
}

static void stop(int signal)
{
	(void)signal;
	umount2(folder, MNT_DETACH);
	_exit(0);
}

int main(int argc, char **argv)
{
	char options[128];
	if (argc != 2 || (fd = open("/dev/fuse", O_RDWR | O_CLOEXEC)) < 0) {
		perror("/dev/fuse");
		return 1;
	}
	snprintf(options, sizeof options, "fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other", fd);
	if (mount("bench", argv[1], "fuse.bench", MS_NOSUID | MS_NODEV, options) < 0) {
		perror(argv[1]);
		return 1;
	}
	folder = argv[1];
	signal(SIGTERM, stop);
	for (;;) {
		ssize_t length = read(fd, in, sizeof in);
		if (length > 0)
			serve((void *)in);
		else if (errno != EINTR && errno != ENOENT)
			return errno != ENODEV;
	}
}
