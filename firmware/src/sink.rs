//! Rows of a decoder to the outside, over embedded-hal's buses: raw values, one transfer for each row.

use bytemuck::{NoUninit, cast_slice};
use embedded_hal::i2c::{I2c, Operation};
use embedded_hal::spi::SpiDevice;
use embedded_io::Write;
use upconv::RowSink;

/// Rows to a device on an SPI bus: one transaction, chip selected, for each row.
pub struct Spi<D>(
    /// The device; its driver has set the window that the rows go to.
    pub D,
);

impl<T: NoUninit, D: SpiDevice> RowSink<T> for Spi<D> {
    type Error = D::Error;

    fn row(&mut self, _y: usize, row: &[T]) -> Result<(), D::Error> {
        self.0.write(cast_slice(row))
    }
}

/// Rows to a device on an I2C bus: one transaction for each row.
pub struct Bus<I> {
    /// The bus.
    pub bus: I,
    /// The device's address.
    pub address: u8,
    /// What comes before the values of each row, such as a display's «data follow».
    pub control: u8,
}

impl<T: NoUninit, I: I2c> RowSink<T> for Bus<I> {
    type Error = I::Error;

    fn row(&mut self, _y: usize, row: &[T]) -> Result<(), I::Error> {
        let control = [self.control];
        self.bus.transaction(self.address, &mut [Operation::Write(&control), Operation::Write(cast_slice(row))])
    }
}

/// Rows to a writer: a UART, a file. The last byte has left when the last row is done.
pub struct Writer<W>(
    /// The writer.
    pub W,
);

impl<T: NoUninit, W: Write> RowSink<T> for Writer<W> {
    type Error = W::Error;

    fn row(&mut self, _y: usize, row: &[T]) -> Result<(), W::Error> {
        self.0.write_all(cast_slice(row))
    }

    fn end(&mut self) -> Result<(), W::Error> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_hal_mock::eh1::{i2c, spi};
    use upconv::{Decoder, Input, Nearest, Node, Shape, Upsample, must};

    static UP: Nearest = must!(Upsample::nearest(Shape::new(2, 1, 1), 1, 3));
    static DECODER: Decoder<i8, 2> = must!(Decoder::plan([Node::whole(Shape::new(2, 1, 1)), UP.node(0)]));

    fn send<S: RowSink<i8>>(sink: &mut S) -> Result<(), S::Error> {
        DECODER.bind(&mut [Input::Whole(&[5, -1])], &mut [], &mut [0; 3]).unwrap().send(sink)
    }

    #[test]
    fn spi_gets_a_transaction_for_each_row() {
        let row = |v| [spi::Transaction::transaction_start(), spi::Transaction::write_vec(vec![v; 3])];
        let end = spi::Transaction::transaction_end();
        let expected: Vec<_> = [5, 255].into_iter().flat_map(|v| row(v).into_iter().chain([end.clone()])).collect();
        let mut device = spi::Mock::new(&expected);
        send(&mut Spi(&mut device)).unwrap();
        device.done();
    }

    #[test]
    fn i2c_gets_the_control_byte_before_each_row() {
        let row = |v| {
            [
                i2c::Transaction::transaction_start(0x3C),
                i2c::Transaction::write(0x3C, vec![0x40]),
                i2c::Transaction::write(0x3C, vec![v; 3]),
                i2c::Transaction::transaction_end(0x3C),
            ]
        };
        let expected: Vec<_> = [5, 255].into_iter().flat_map(row).collect();
        let mut bus = i2c::Mock::new(&expected);
        send(&mut Bus { bus: &mut bus, address: 0x3C, control: 0x40 }).unwrap();
        bus.done();
    }

    #[test]
    fn a_writer_gets_all_rows_until_it_is_full() {
        let mut room = [0; 6];
        send(&mut Writer(&mut room[..])).unwrap();
        assert_eq!(room, [5, 5, 5, 255, 255, 255]);
        assert!(send(&mut Writer(&mut room[..5])).is_err());
    }
}
