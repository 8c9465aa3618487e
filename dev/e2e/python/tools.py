"""Calls the classic tools one after the other and prints what each printed, and its exit status.

Arguments: FOLDER_OF_TOOLS CLIENT_CONF TRACKER_IP STORAGE_IP. Run in a folder it may write into. What differs from run to
run (ids, addresses, times, sizes of disks) is in capitals. The same came from the original's tools and servers, version
6.16.1: see `tools.expected`.
"""

import re
import subprocess
import sys

BIN, CONF, TRACKER, STORAGE = sys.argv[1:5]

# CONF and STORAGE stand for what was given, a single letter for the id that an upload printed, A/name for what follows
# the group in it. `!` in front: our usage texts are our own, only the status counts.
COMMANDS = """
A = fdfs_upload_file CONF hello.txt
fdfs_upload_file CONF hello.tar.gz
fdfs_upload_file CONF big.bin
fdfs_upload_file CONF hello.txt STORAGE
fdfs_upload_file CONF hello.txt STORAGE 0
fdfs_upload_file CONF hello.txt STORAGE 7
fdfs_upload_file CONF nothing
fdfs_upload_file nothing hello.txt
! fdfs_upload_file
fdfs_file_info CONF A
fdfs_file_info CONF group1
! fdfs_file_info
fdfs_download_file CONF A fetched
show fetched
fdfs_download_file CONF A fetched 6 4
show fetched
fdfs_download_file CONF A fetched 6 0
show fetched
fdfs_download_file CONF A fetched 14 1
fdfs_download_file CONF group9/M00/00/00/oYYBAGMi4zGAYNoxABY-esN9nNw502.jpg fetched
! fdfs_download_file
B = fdfs_upload_appender CONF hello.txt
fdfs_append_file CONF B hello.txt
fdfs_file_info CONF B
fdfs_file_info -n CONF B
fdfs_append_file CONF A hello.txt
fdfs_append_file CONF B nothing
! fdfs_append_file
C = fdfs_regenerate_filename CONF B
fdfs_regenerate_filename CONF B
! fdfs_regenerate_filename
fdfs_file_info CONF C
fdfs_download_file CONF C fetched
show fetched
fdfs_download_file CONF B fetched
fdfs_upload_appender CONF nothing
! fdfs_upload_appender
fdfs_crc32 hello.txt
fdfs_crc32 big.bin
! fdfs_crc32 nothing
! fdfs_crc32
fdfs_test CONF upload hello.txt
fdfs_test CONF upload hello.txt BUFF
fdfs_test CONF upload hello.txt CALLBACK
fdfs_test CONF upload nothing
fdfs_test CONF download group1 A/name fetched
show fetched
fdfs_test CONF getmeta group1 A/name
fdfs_test CONF setmeta group1 A/name O width=160,height=80
fdfs_test CONF getmeta group1 A/name
fdfs_test CONF setmeta group1 A/name M width=320,depth=8
fdfs_test CONF getmeta group1 A/name
fdfs_test CONF setmeta group1 A/name X width=320
fdfs_test CONF query_servers group1 A/name
fdfs_test CONF dance group1 A/name
! fdfs_test CONF
D = fdfs_upload_file CONF hello.txt
fdfs_test CONF delete group1 D/name
fdfs_test CONF delete group1 D/name
fdfs_test CONF download group1 D/name fetched
fdfs_test1 CONF upload hello.txt FILE
fdfs_test1 CONF download A fetched
fdfs_test1 CONF setmeta A O width=1
fdfs_test1 CONF getmeta A
fdfs_test1 CONF query_servers A
E = fdfs_upload_file CONF hello.txt
fdfs_test1 CONF delete E
fdfs_test1 CONF delete E
fdfs_appender_test CONF hello.txt
fdfs_appender_test CONF hello.txt BUFF
fdfs_appender_test1 CONF hello.txt
fdfs_appender_test CONF nothing
fdfs_monitor CONF
fdfs_monitor CONF list group1
fdfs_monitor CONF list group9
fdfs_monitor CONF -h 127.0.0.9
fdfs_monitor CONF delete group1 STORAGE/ip
fdfs_monitor CONF delete group1
fdfs_monitor CONF delete group9
fdfs_monitor CONF set_trunk_server group1 STORAGE/ip
fdfs_tracker_stat -c CONF
fdfs_tracker_stat -c CONF -L
fdfs_tracker_stat -c CONF -F
fdfs_storage_stat -c CONF
fdfs_storage_stat -c CONF -A
fdfs_storage_stat -c CONF -N
fdfs_volumn_stat -c CONF
fdfs_volumn_stat -c CONF -N
fdfs_delete_file CONF A
fdfs_delete_file CONF A
fdfs_delete_file CONF nonsense
! fdfs_delete_file
"""

ID = re.compile(r"group1/M[0-9A-F]{2}/[0-9A-F]{2}/[0-9A-F]{2}/[0-9A-Za-z_.-]+")
# In this order.
MASKS = [
    # 27 characters, then digits up to an extension of six, here of three or none; a slave's prefix follows.
    (r"M[0-9A-F]{2}/[0-9A-F]{2}/[0-9A-F]{2}/[0-9A-Za-z_-]{27}(\d{3})?", "NAME"),
    (re.escape(TRACKER), "TRACKER"),
    (re.escape(STORAGE), "STORAGE"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME"),
    (r" +\d+(\.\d+)? [KMGTPE]?B\b", " SIZE"),
    (r"\d+\.\d+%", "PERCENT"),
    (r"(alloc|current|max): \d+", r"\1: COUNT"),
    (r"(?m)^(\t\t(connection\.|total_|stotal_|success_)\w+) = \d+$", r"\1 = COUNT"),
    (r"(?s)^This is FastDFS client test program v6\.16\.1[^\n]*\n\n(Copyright .* detail\.\n\n)?", "BANNER\n"),
]

for name in ("hello.txt", "hello.tar.gz"):
    with open(name, "wb") as file:
        file.write(b"hello fastdfs\n")
with open("big.bin", "wb") as file:
    file.write(bytes(range(251)) * 1300)

ids = {}


def argument(word):
    """What a word of a command stands for."""
    letter, _, what = word.partition("/")
    if letter in ids:
        return ids[letter].split("/", 1)[1] if what else ids[letter]
    return {"CONF": CONF, "STORAGE": f"{STORAGE}:23000", "STORAGE/ip": STORAGE}.get(word, word)


def run(command):
    """What a tool printed, and its status."""
    tool, *words = command.split()
    result = subprocess.run([f"{BIN}/{tool}", *map(argument, words)], capture_output=True, timeout=60)
    return result.stdout.decode(), result.returncode


for line in COMMANDS.strip().splitlines():
    print(f"$ {line}")
    if line.startswith("show "):
        with open(line.split()[1], "rb") as file:
            print(file.read().decode().rstrip("\n"))
        continue
    variable, is_upload, command = line.rpartition(" = ")
    printed, status = run(command.removeprefix("! "))
    if is_upload:
        ids[variable] = ID.search(printed).group()
    if not line.startswith("! "):
        for pattern, word in MASKS:
            printed = re.sub(pattern, word, printed)
        print(printed, end="")
    print(f"[{status}]")
