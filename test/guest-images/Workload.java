// What a JVM does: interpret, compile in two tiers, deoptimize, collect garbage, switch threads, take hardware traps for null checks.
// Each piece prints a line that is the same on every machine. Run from source (`java Workload.java`), so that javac works too.

import java.math.BigInteger;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

public class Workload {
  interface Shape {
    double area();
  }

  record Circle(double radius) implements Shape {
    public double area() {
      return 3 * radius * radius;
    }
  }

  record Square(double side) implements Shape {
    public double area() {
      return side * side;
    }
  }

  record Oblong(double a, double b) implements Shape {
    public double area() {
      return a * b;
    }
  }

  static void show(String name, Callable<Object> work) throws Exception {
    System.out.println(name + " " + work.call());
  }

  static int fib(int n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
  }

  static Object roots() {
    double sum = 0;
    for (int i = 1; i < 3_000_000; i++) sum += Math.sqrt(i) / (i + 1);
    return sum;
  }

  static Object matrices() {
    final int n = 96;
    Random random = new Random(1);
    double[][] a = new double[n][n], b = new double[n][n], c = new double[n][n];
    for (int i = 0; i < n; i++)
      for (int j = 0; j < n; j++) {
        a[i][j] = random.nextInt(1000) / 8.0;
        b[i][j] = random.nextInt(1000) / 16.0;
      }
    for (int i = 0; i < n; i++)
      for (int j = 0; j < n; j++) for (int k = 0; k < n; k++) c[i][j] += a[i][k] * b[k][j];
    return Arrays.deepHashCode(c);
  }

  static Object vectors() {
    int[] values = new int[4096];
    for (int round = 0; round < 1500; round++)
      for (int i = 0; i < values.length; i++) values[i] = values[i] * 31 + i + round;
    return Arrays.hashCode(values);
  }

  static Object virtualCalls() {
    Shape[] shapes = {new Circle(1), new Square(2), new Oblong(3, 4)};
    double sum = 0;
    for (int i = 0; i < 2_000_000; i++) sum += shapes[i % 3].area();
    return sum;
  }

  static Object map() {
    Random random = new Random(2);
    HashMap<Integer, Integer> counts = new HashMap<>();
    for (int i = 0; i < 200_000; i++) counts.merge(random.nextInt(30_000), 1, Integer::sum);
    return counts.hashCode();
  }

  static Object garbage() {
    Random random = new Random(3);
    List<byte[]> live = new ArrayList<>();
    long sum = 0;
    for (int i = 0; i < 60_000; i++) {
      live.add(new byte[random.nextInt(4000)]);
      if (live.size() > 4000) live.remove(random.nextInt(live.size()));
      sum += live.size();
    }
    return sum;
  }

  static Object strings() {
    StringBuilder builder = new StringBuilder();
    for (int i = 0; i < 40_000; i++) builder.append(Integer.toHexString(i * 7919));
    String text = builder.toString();
    return text.hashCode() + " " + text.indexOf("fffff") + " " + text.replaceAll("[a-c]+", "x").hashCode();
  }

  static Object digests() throws Exception {
    StringBuilder all = new StringBuilder();
    for (String name : new String[] {"MD5", "SHA-1", "SHA-256", "SHA-512"})
      all.append(HexFormat.of().formatHex(MessageDigest.getInstance(name).digest(new byte[1 << 20])));
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(new byte[16], "AES"), new GCMParameterSpec(128, new byte[12]));
    return all.toString().hashCode() + " " + Arrays.hashCode(cipher.doFinal(new byte[1 << 19]));
  }

  static Object bigNumbers() {
    BigInteger base = BigInteger.valueOf(7).pow(700);
    return base.modPow(base.add(BigInteger.ONE), base.subtract(BigInteger.TEN)).hashCode();
  }

  static Object streams() {
    return IntStream.range(0, 200_000).boxed().filter(i -> i % 3 == 0)
            .collect(Collectors.groupingBy(i -> i % 100, Collectors.counting())).hashCode()
        + " " + IntStream.range(0, 1_500_000).parallel().mapToLong(i -> (long) i * i % 7).sum();
  }

  static Object exceptions() {
    int count = 0;
    for (int i = 0; i < 20_000; i++) {
      try {
        if (i % 3 == 0) throw new IllegalStateException("x" + i);
        count++;
      } catch (IllegalStateException e) {
        count += e.getMessage().length();
      }
    }
    return count;
  }

  /** The JIT leaves null checks and division checks to the processor's faults. */
  static Object traps() {
    String[] words = {"a", null, "bb"};
    int count = 0;
    for (int i = 0; i < 200_000; i++) {
      try {
        count += words[i % 3].length() + 100 / (i % 5);
      } catch (NullPointerException e) {
        count += 7;
      } catch (ArithmeticException e) {
        count += 3;
      }
    }
    return count;
  }

  static Object pool() throws Exception {
    var pool = Executors.newFixedThreadPool(4);
    List<Future<Integer>> results = new ArrayList<>();
    for (int seed = 0; seed < 8; seed++) {
      final int first = seed;
      results.add(pool.submit(() -> {
        int value = first;
        for (int i = 0; i < 1_000_000; i++) value = value * 1103515245 + 12345;
        return value;
      }));
    }
    int sum = 0;
    for (var result : results) sum += result.get();
    pool.shutdown();
    return sum;
  }

  static Object contention() throws Exception {
    Object lock = new Object();
    int[] locked = {0};
    AtomicLong atomic = new AtomicLong();
    Thread[] threads = new Thread[4];
    for (int i = 0; i < threads.length; i++) {
      threads[i] = new Thread(() -> {
        for (int k = 0; k < 40_000; k++) {
          synchronized (lock) {
            locked[0]++;
          }
          atomic.incrementAndGet();
        }
      });
      threads[i].start();
    }
    for (Thread thread : threads) thread.join();
    return locked[0] + " " + atomic;
  }

  static Object handOver() throws Exception {
    var there = new SynchronousQueue<Integer>();
    var back = new SynchronousQueue<Integer>();
    Thread other = new Thread(() -> {
      try {
        for (int i = 0; i < 1500; i++) back.put(there.take() + 1);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    });
    other.start();
    int value = 0;
    for (int i = 0; i < 1500; i++) {
      there.put(value);
      value = back.take();
    }
    other.join();
    return value;
  }

  public static void main(String[] arguments) throws Exception {
    show("calls", () -> fib(30));
    show("roots", Workload::roots);
    show("matrices", Workload::matrices);
    show("vectors", Workload::vectors);
    show("virtual-calls", Workload::virtualCalls);
    show("map", Workload::map);
    show("garbage", Workload::garbage);
    show("strings", Workload::strings);
    show("digests", Workload::digests);
    show("big-numbers", Workload::bigNumbers);
    show("streams", Workload::streams);
    show("exceptions", Workload::exceptions);
    show("traps", Workload::traps);
    show("pool", Workload::pool);
    show("contention", Workload::contention);
    show("hand-over", Workload::handOver);
  }
}
