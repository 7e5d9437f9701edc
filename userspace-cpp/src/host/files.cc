// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files that daemons write; see files.h.

#include "host/files.h"

#include "util/descriptor.h"
#include "util/log.h"

#include <climits>
#include <openssl/rand.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace nfovpn::host {

namespace {

// As the kernel's limit.
constexpr int kMostLinks = 40;

/// A name in a directory that is open.
struct Place {
    Descriptor directory;
    std::string name; ///< of no symbolic link
};

// Takes the first component off a path; empty at its end.
std::string take_component(std::string& path) {
    const auto begin = path.find_first_not_of('/');
    if (begin == std::string::npos) {
        path.clear();
        return {};
    }
    const auto end = path.find('/', begin);
    auto out = path.substr(begin, end == std::string::npos ? end : end - begin);
    path = end == std::string::npos ? std::string() : path.substr(end);
    return out;
}

// Follows a path as the kernel does, but for symbolic links of those who have no say here: root
// follows its own, another user its own and root's. 0, or an errno.
int find_place(std::string path, Place& out) {
    const auto begin = [](const std::string& text) {
        return Descriptor(
            open(text.starts_with('/') ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    };
    out.directory = begin(path);
    int links = 0;
    while (out.directory) {
        out.name = take_component(path);
        if (out.name.empty() || out.name == ".." || out.name == ".") {
            if (path.empty())
                return EISDIR;
            if (out.name != "..")
                continue;
        }
        struct stat there {};
        if (fstatat(out.directory.get(), out.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) {
            // The last one may be made.
            return errno == ENOENT && path.empty() ? 0 : errno;
        }
        if (S_ISLNK(there.st_mode)) {
            if (there.st_uid != 0 && there.st_uid != geteuid())
                return ELOOP;
            std::array<char, PATH_MAX> target{};
            const auto length =
                readlinkat(out.directory.get(), out.name.c_str(), target.data(), target.size());
            if (length < 0)
                return errno;
            if (++links > kMostLinks || static_cast<std::size_t>(length) == target.size())
                return ELOOP;
            path.insert(0, target.data(), static_cast<std::size_t>(length));
            if (path.starts_with('/'))
                out.directory = begin(path);
            continue;
        }
        if (path.empty())
            return 0;
        out.directory = Descriptor(openat(out.directory.get(), out.name.c_str(),
                                          O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    }
    return errno;
}

int write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto n = write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return 0;
}

// What a regular file is replaced by, in the same directory, under a name that nobody can foresee.
int replace(const Place& place, const std::string& text, mode_t mode, struct stat& written) {
    std::array<unsigned char, 8> random{};
    if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1)
        return EIO;
    std::string temporary = "." + place.name.substr(0, NAME_MAX - 32) + ".";
    for (auto byte : random)
        temporary += fmt::format("{:02x}", byte);
    const int at = place.directory.get();
    Descriptor file(
        openat(at, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!file)
        return errno;
    int error = write_all(file.get(), text);
    if (error == 0 && (fstat(file.get(), &written) != 0 ||
                       renameat(at, temporary.c_str(), at, place.name.c_str()) != 0))
        error = errno;
    if (error != 0)
        unlinkat(at, temporary.c_str(), 0);
    return error;
}

// A device, a pipe, or a file that is mounted there, or that may be written where no other may be
// made.
int write_in_place(const Place& place, const std::string& text, struct stat& written) {
    Descriptor file(openat(place.directory.get(), place.name.c_str(),
                           O_WRONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC));
    if (!file || fstat(file.get(), &written) != 0)
        return errno;
    if (S_ISREG(written.st_mode) && ftruncate(file.get(), 0) != 0)
        return errno;
    return write_all(file.get(), text);
}

int write_to(const Place& place, const std::string& text, mode_t mode, struct stat& written) {
    struct stat there {};
    const bool exists =
        fstatat(place.directory.get(), place.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0;
    if (exists && !S_ISREG(there.st_mode))
        return S_ISDIR(there.st_mode) ? EISDIR : write_in_place(place, text, written);
    // What its owner has made of it, unless that is somebody else.
    if (exists && (there.st_uid == 0 || there.st_uid == geteuid()))
        mode = there.st_mode & 0777;
    const int error = replace(place, text, mode, written);
    const bool elsewhere =
        error == EBUSY || error == EXDEV || error == EACCES || error == EPERM || error == EROFS;
    // Somebody else's may be a link to any file.
    const bool ours = there.st_uid == 0 || there.st_uid == geteuid();
    if (exists && elsewhere && ours && there.st_nlink == 1)
        return write_in_place(place, text, written);
    return error;
}

} // namespace

std::optional<std::string> write_file(const std::string& path, const std::string& text) {
    Place place;
    struct stat written {};
    int error = find_place(path, place);
    if (error == 0)
        error = write_to(place, text, 0600, written);
    if (error != 0)
        return path + ": " + std::strerror(error);
    return std::nullopt;
}

std::optional<std::string> why_not_to_write(const std::string& path) {
    Place place;
    if (const int error = find_place(path, place); error != 0)
        return path + ": " + std::strerror(error);
    return std::nullopt;
}

KeptFile::KeptFile(std::string path, bool writable)
    : path_(std::move(path)), writable_(writable), error_(reopen()) {}

int KeptFile::reopen() {
    file_.close();
    Place place;
    if (const int error = find_place(path_, place); error != 0)
        return error;
    struct stat there {};
    const bool exists =
        fstatat(place.directory.get(), place.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0;
    // A pipe or a device is opened each time, and another one's file may be a link to any other.
    if (exists && !S_ISREG(there.st_mode))
        return S_ISDIR(there.st_mode) ? EISDIR : 0;
    if (exists && there.st_uid != 0 && there.st_uid != geteuid())
        return EACCES;
    if (exists && there.st_nlink != 1)
        return EMLINK;
    const int flags = (writable_ ? O_RDWR | (exists ? 0 : O_CREAT | O_EXCL) : O_RDONLY) |
                      O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
    file_.reset(openat(place.directory.get(), place.name.c_str(), flags, 0600));
    return file_ ? 0 : errno;
}

std::optional<std::string> KeptFile::write(const std::string& text) {
    auto failed = write_file(path_, text);
    if (!failed) {
        // It is another file now, as a rule.
        error_ = reopen();
        return std::nullopt;
    }
    if (!file_)
        return failed;
    Place place;
    struct stat own {};
    struct stat there {};
    // Somebody has taken it away, or put another one there; which cannot be seen in a directory
    // that may not be looked into.
    if (fstat(file_.get(), &own) != 0 || own.st_nlink == 0)
        return failed;
    if (find_place(path_, place) == 0 &&
        (fstatat(place.directory.get(), place.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0 ||
         there.st_dev != own.st_dev || there.st_ino != own.st_ino))
        return failed;
    if (lseek(file_.get(), 0, SEEK_SET) != 0 || ftruncate(file_.get(), 0) != 0)
        return path_ + ": " + std::strerror(errno);
    if (const int error = write_all(file_.get(), text); error != 0)
        return path_ + ": " + std::strerror(error);
    return std::nullopt;
}

Result<std::string, FileError> KeptFile::read() const {
    if (!file_ && error_ != 0 && error_ != ENOENT)
        return FileError{std::strerror(error_)};
    std::string out;
    if (!file_)
        return out;
    std::array<char, 4096> part{};
    for (off_t at = 0;;) {
        const auto n = pread(file_.get(), part.data(), part.size(), at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FileError{std::strerror(errno)};
        if (n == 0)
            return out;
        out.append(part.data(), static_cast<std::size_t>(n));
        at += n;
    }
}

PidFile::PidFile(std::string path) : path_(std::move(path)) {
    if (path_.empty())
        return;
    Place place;
    struct stat written {};
    int error = find_place(path_, place);
    // Whoever supervises the daemon may be anybody.
    if (error == 0)
        error = write_to(place, std::to_string(getpid()) + "\n", 0644, written);
    if (error != 0)
        throw std::runtime_error("writepid: " + path_ + ": " + std::strerror(error));
    regular_ = S_ISREG(written.st_mode);
    device_ = written.st_dev;
    inode_ = written.st_ino;
}

PidFile::~PidFile() {
    if (!regular_)
        return;
    Place place;
    struct stat there {};
    int error = find_place(path_, place);
    if (error == 0 &&
        fstatat(place.directory.get(), place.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0)
        error = errno;
    // Another daemon's is left alone.
    if (error == 0 && (there.st_dev != device_ || there.st_ino != inode_))
        return;
    if (error == 0 && unlinkat(place.directory.get(), place.name.c_str(), 0) != 0)
        error = errno;
    if (error != 0)
        log::warning("writepid: {} is left over: {}", path_, std::strerror(error));
}

} // namespace nfovpn::host
