# Becomes the server, and leaves a guardian behind that ends the server when the program that started it is gone.
# $1 is the signal for that, $2 the temporary folder to remove, $3 the log; the rest is the server's command.
# The program holds the other end of the pipe that is file descriptor 3.
signal=$1 folder=$2 log=$3
shift 3
umask 077
exec >>"$log" 2>&1 </dev/null
# The guardian is no child of the server, which would take its end for that of a backend: hence the two subshells.
(
	(
		# A line calls the guardian off; the end of the pipe without one is the end of the program.
		read -r line <&3 && exit
		kill -s "$signal" $$
		seconds=0
		while kill -0 $$ && [ "$seconds" -lt 60 ]; do
			sleep 1
			seconds=$((seconds + 1))
		done 2>/dev/null
		rm -rf "$folder"
	) &
)
exec "$@" 3<&-
